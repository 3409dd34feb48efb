"""What a side keeps of a model, and the file that it is kept in."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import LOGITS, ModelError
from mnistrobust.checks.session import Session
from mnistrobust.comparison import sides
from mnistrobust.comparison.sides import NO_PREDICTION, SETS, WORST_LOSS, side_of
from mnistrobust.comparison.text import shown
from mnistrobust.comparison.verdict import compare
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.store import Entry, Key, Store
from specs.helpers.sides import side


@pytest.fixture(scope="module")
def few(mnist5k):
    """Two held-out images of each digit."""
    rows = np.concatenate([np.flatnonzero(mnist5k.test_labels == digit)[:2] for digit in range(10)])
    arrays = {name: mnist5k.arrays[name][rows] for name in ("x_test", "y_test")}
    return Dataset(mnist5k.source, arrays)


def probabilities(images):
    """Certain of the digit that the first pixels' sum picks; NaN for the second image."""
    outputs = np.full((len(images), 10), 0.02, np.float32)
    outputs[:, 3] = 0.82
    outputs[1] = np.nan
    return outputs


def session(dataset, predict, classes=10):
    model = Model(name="model", outputs="probabilities", classes=classes, predict=predict)
    return Session(model, dataset)


def test_a_side_keeps_prediction_confidence_and_loss(few):
    """By image and set; NaN is no prediction, with no confidence and the largest loss."""
    clean = side_of(session(few, probabilities)).sets["clean"]

    assert clean.prediction[0, :3].tolist() == [3, NO_PREDICTION, 3]
    assert (clean.confidence[0, :2] / sides.SCALE).tolist() == pytest.approx([0.82, 0], abs=1e-4)
    assert clean.loss[0, 1] == WORST_LOSS
    threes = few.test_labels == 3
    threes[1] = False
    assert np.exp(-clean.loss[0, threes].astype(float)) == pytest.approx(0.82, abs=1e-3)


def test_confidence_on_noise_is_confidence_in_a_digit(few):
    """A noise class that catches all noise is not confident of any digit."""

    def noise(images):
        outputs = np.full((len(images), 11), 0.01, np.float32)
        outputs[:, 10] = 0.9
        return outputs

    kept = side_of(session(few, noise, classes=11)).sets

    assert kept["uniform"].prediction.tolist()[0][:2] == [10, 10]
    assert (kept["uniform"].confidence / sides.SCALE).max() == pytest.approx(0.01, abs=1e-4)
    assert (kept["clean"].confidence / sides.SCALE).max() == pytest.approx(0.9, abs=1e-4)


def test_a_loss_is_at_most_50_nats(few):
    """Certain and wrong is no infinity."""
    logits = 1000 * np.eye(10, dtype=np.float32)
    model = Model(name="m", outputs=LOGITS, classes=10, predict=lambda x: logits[[3] * len(x)])

    clean = side_of(Session(model, few)).sets["clean"]

    assert clean.loss[0, few.test_labels != 3].tolist() == [WORST_LOSS] * 18


def test_a_model_that_fails_is_named(few):
    """Whatever it raises is one line."""

    def fails(_):
        raise ModelError("model raised ValueError: no")

    with pytest.raises(ModelError, match="model raised ValueError: no"):
        side_of(session(few, fails))


def test_a_file_gives_the_side_back(mnist5k, tmp_path):
    """Every array and fact; numpy.load reads it without pickles."""
    made, file = {"made": "2026-01-02T03:04:05", "interface": "reads"}, tmp_path / "side.npz"
    whole = replace(side(mnist5k, seeds=(1, 2)), **made, versions={"numpy": "2"})
    sides.save(whole, file)
    again = sides.load(file)

    assert (again.name, again.seeds, again.made) == (whole.name, (1, 2), whole.made)
    assert again.interface == "reads"
    assert (again.dataset, dict(again.versions)) == (whole.dataset, dict(whole.versions))
    for name in SETS:
        for part in ("prediction", "confidence", "loss"):
            assert np.array_equal(getattr(again.sets[name], part), getattr(whole.sets[name], part))
    with np.load(file) as arrays:
        assert arrays["clean.prediction"].shape == (2, 1000)
    assert file.stat().st_size < 500_000


def test_a_file_that_cannot_be_written_is_one_line(mnist5k, tmp_path):
    """With the reason, and once with its name."""
    (tmp_path / "side.npz").mkdir()

    with pytest.raises(UsageError) as raised:
        sides.save(side(mnist5k), tmp_path / "side.npz")
    assert str(raised.value) == f"{tmp_path / 'side.npz'}: Is a directory; name another file."


def test_the_store_gives_the_rows_of_a_comparison_in_their_order(mnist5k, tmp_path):
    """Its entries sort their names, and a second run shows the table of the first."""
    whole, store, key = side(mnist5k), Store(tmp_path), Key("comparisons", "side", {})
    store.put(key, Entry(sides.arrays_of(whole), sides.meta_of(whole)))
    entry = store.get(key)

    assert list(sides.side_from(entry.tensors, entry.meta).sets) == list(whole.sets)


def test_other_data_or_other_images_are_refused(mnist5k):
    """The message says which, and what to do."""
    good = side(mnist5k)
    other = replace(good, dataset=("mnist5k", "f" * 64))
    moved = replace(good, drawn={**good.drawn, "inverted": "0"})

    sides.check_fits(good, mnist5k.source, "here")
    with pytest.raises(
        UsageError, match=r"here: its predictions are on mnist5k \(sha256 ffffffffffff"
    ):
        sides.check_fits(other, mnist5k.source, "here")
    with pytest.raises(UsageError, match="here: the images of inverted changed since it was saved"):
        sides.check_fits(moved, mnist5k.source, "here")


def test_a_damaged_file_is_one_line(mnist5k, tmp_path):
    """Other shapes, other types, a lost array; another kind of file is none of ours, or no baseline."""
    whole, file = side(mnist5k), tmp_path / "side.npz"
    sides.save(whole, file)
    with np.load(file) as archive:
        arrays = dict(archive)
    damages = (
        {"clean.loss": arrays["clean.loss"][:, :-1]},
        {"clean.prediction": arrays["clean.prediction"].astype(np.int64)},
        {"clean.loss": arrays["clean.loss"] * np.float16("nan")},
        {"inverted.loss": arrays["inverted.loss"] - np.float16("inf")},
        {"meta": np.array('{"format": "mnistrobust predictions 2"}')},
        {"meta": np.array('{"format": "mnistrobust' + "[" * 10_000)},
    )
    for damage in damages:
        np.savez(file, **{**arrays, **damage})
        with pytest.raises(UsageError, match="these predictions are damaged"):
            sides.load(file)
    sides.save(whole, file)
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        within = archive.getinfo("uniform.loss.npy").header_offset + 100  # in what is compressed
    file.write_bytes(content[:within] + bytes([content[within] ^ 255]) + content[within + 1 :])
    with pytest.raises(UsageError, match="these predictions are damaged"):
        sides.load(file)
    np.savez(file, clean=np.zeros(3))
    empty = b""
    for other in (file.read_bytes(), b"PK", empty):
        file.write_bytes(other)
        assert sides.load(file) is None
        with pytest.raises(UsageError, match="these predictions are damaged"):
            sides.load(file, kept=True)


def test_more_conditions_are_predicted_kept_and_asked_for(few, tmp_path):
    """By name and dose; a file without them is refused."""
    on, file = ("rotate:15", "blur:0.7"), tmp_path / "side.npz"
    more = side_of(session(few, probabilities), on)
    sides.save(more, file)

    assert [*more.sets] == [*SETS, *on]
    assert [*sides.load(file).sets] == [*SETS, *on]
    assert sides.definitions(on).keys() - sides.definitions().keys() == {*on}
    sides.check_fits(sides.load(file), few.source, "side.npz", on)
    rows = {row.name: row for row in compare(more, more, few).rows}
    assert rows["accuracy on rotate:15"].paired.n == len(few.subset)
    assert {*on} < {row.on for row in shown(compare(more, more, few))}
    with pytest.raises(
        UsageError, match=r"no predictions for shear:1; save it again: .* --on shear:1"
    ):
        sides.check_fits(more, few.source, "side.npz", (*on, "shear:1"))
    moved = replace(more, drawn={**more.drawn, "blur:0.7": "0"})
    with pytest.raises(UsageError, match=r"images of blur:0\.7 changed"):
        sides.check_fits(moved, few.source, "side.npz", on)
