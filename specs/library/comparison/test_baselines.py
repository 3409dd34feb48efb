"""Baselines: a run is kept whole under a name, and belongs to its data."""

from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.comparison import baselines, sides
from mnistrobust.comparison.opening import open_side
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.store import Store
from specs.helpers.runs_by_hand import SOURCE, run
from specs.helpers.sides import side


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_run_comes_back_as_it_was_saved(store):
    """Results, versions and code survive the file."""
    before = run(noisy=0.8)

    path = baselines.save(before, "before", store)
    after = baselines.load("before", store, SOURCE)

    assert path.parent == store.root.with_name("store-baselines")
    assert after.results.to_json() == before.results.to_json()
    assert (after.made, after.code) == (before.made, before.code)


def test_a_baseline_outlives_the_store(store):
    """Clearing the store, or checking it, leaves what lies beside it."""
    baselines.save(run(), "before", store)

    assert (store.entries(), store.clear()) == ([], 0)
    assert baselines.names(store) == ["before"]


def test_names_are_listed_and_removed(store):
    """Names are found without reading a file; a removed one is gone."""
    numbers = [*map(str, range(9))]
    for name in ("b", "after.2", "A-dash_", *reversed(numbers)):
        baselines.save(run(), name, store)
    baselines.remove("b", store)

    assert baselines.names(store) == [*numbers, "A-dash_", "after.2"]
    with pytest.raises(UsageError, match=r"Unknown baseline 'after': did you mean 'after\.2'\?"):
        baselines.remove("after", store)


def test_a_models_baseline_is_the_nearest_name(store):
    """To remove one, both kinds are known."""
    file = baselines.model_file("before", store)
    file.parent.mkdir(parents=True)
    file.touch()

    with pytest.raises(UsageError, match="did you mean 'before'"):
        baselines.remove("befor", store)


def test_a_taken_name_is_replaced_only_on_request(store):
    """A baseline is not lost to a second one by accident."""
    baselines.save(run(noisy=0.8), "before", store)

    with pytest.raises(UsageError, match="already: choose another name, or --replace it"):
        baselines.check_free("before", store)
    assert baselines.load("before", store).results.outcomes[0].figures["noisy"] == 0.8
    baselines.save(run(noisy=0.5), "before", store)
    assert baselines.load("before", store).results.outcomes[0].figures["noisy"] == 0.5


def test_a_name_is_a_run_or_a_model(store, mnist5k):
    """One kind takes the other's place, and a name is removed with all that is kept under it."""
    predictions, of_run = (of("b", store) for of in (baselines.model_file, baselines.run_file))
    sides.save(side(mnist5k), predictions)
    baselines.save(run(), "b", store)

    baselines.remove("b", store, but=of_run)
    assert (predictions.exists(), of_run.exists()) == (False, True)
    sides.save(side(mnist5k), predictions)
    baselines.remove("b", store, but=predictions)
    assert (predictions.exists(), of_run.exists()) == (True, False)
    baselines.save(run(), "b", store)
    baselines.remove("b", store)
    assert (predictions.exists(), of_run.exists()) == (False, False)


@pytest.mark.parametrize("given", ["data.npz", "link.npz", "folder.npz", "kept.json", "package"])
def test_no_file_is_removed_that_is_no_baseline(given, store, tmp_path, monkeypatch, mnist5k):
    """A path is a file of predictions, or is left alone; a name is no path."""
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", x_train=np.zeros(3))
    (tmp_path / "link.npz").symlink_to("nowhere")
    (tmp_path / "folder.npz").mkdir()
    for name in ("kept.json.json", "package.json", "package.npz", "store-baselines.json"):
        (tmp_path / name).write_text("theirs")
    sides.save(side(mnist5k), tmp_path / "ours.npz")
    before = {*tmp_path.rglob("*")}

    for asked in (given, f"../{given}", str(tmp_path / given)):
        with pytest.raises(UsageError, match=r"no file of predictions|Unknown baseline"):
            baselines.remove(asked, store)
    assert {*tmp_path.rglob("*")} == before
    baselines.remove("ours.npz", store)
    assert before - {*tmp_path.rglob("*")} == {tmp_path / "ours.npz"}


def test_a_run_is_not_called_like_a_file_of_predictions():
    """To replace it would remove the file."""
    with pytest.raises(UsageError, match=r"'a\.npz': that is for a model's predictions"):
        baselines.check_name("a.npz")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "\x1b[31m", "<b>", "=cmd", "-x", "é"])
def test_a_name_is_a_plain_word(name):
    """Nothing that a shell, a path, a page or a terminal reads otherwise."""
    with pytest.raises(UsageError, match="expected at most 64 letters") as found:
        baselines.check_name(name)
    assert "\x1b" not in str(found.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ann", None),
        ("m:predict", None),
        ("model.onnx", None),
        ("kept", "it holds predictions and no model; a sweep needs the model itself"),
        ("any.npz", "it holds predictions and no model; a sweep needs the model itself"),
    ],
)
def test_what_predicts_is_told_from_what_holds_predictions(given, said, store):
    """A recipe trains, whatever a baseline is called; a file of predictions predicts nothing."""
    for name in ("kept", "ann"):
        baselines.model_file(name, store).parent.mkdir(parents=True, exist_ok=True)
        baselines.model_file(name, store).touch()

    if said:
        with pytest.raises(UsageError, match=said):
            baselines.check_predicts(given, store, "a sweep")
    else:
        baselines.check_predicts(given, store, "a sweep")


def test_other_data_is_refused(store):
    """A baseline of one data set says nothing about another."""
    baselines.save(run(), "before", store)
    other = Source(name=SOURCE.name, digest="f" * 64, path=None, why="as asked for")

    with pytest.raises(
        UsageError, match=r"is of mnist5k .* and the data set is mnist5k .*fff.* --data"
    ):
        baselines.load("before", store, other)


def test_without_a_baseline_the_command_that_makes_one_is_named(store):
    """An unknown name among none, and among others."""
    with pytest.raises(UsageError, match="'mnistrobust baseline save NAME' makes one"):
        baselines.load("before", store)


@pytest.mark.filterwarnings("error")
def test_a_damaged_baseline_is_an_error(store):
    """Half a file: nothing is compared with it."""
    path = baselines.save(run(), "before", store)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(MnistRobustError, match="The baseline 'before' is damaged"):
        baselines.load("before", store)
    nothing = replace(run(), results=replace(run().results, outcomes=()))
    baselines.save(nothing, "before", store)
    with pytest.raises(MnistRobustError, match=r"is damaged \(it has no claim\)"):
        baselines.load("before", store)


def test_a_damaged_baseline_of_a_model_is_no_missing_file(store, mnist5k):
    """`compare` says what it is, and does not look for a model of that name."""
    file = baselines.model_file("before", store)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()

    with pytest.raises(UsageError, match=r"before\.npz: these predictions are damaged"):
        open_side("before", mnist5k.source, store)


@pytest.mark.filterwarnings("error")
def test_a_baseline_that_cannot_be_written_is_an_error(tmp_path):
    """It is not kept in memory, as a network would be."""
    (tmp_path / "store-baselines").write_text("in the way")

    with pytest.raises(MnistRobustError, match="Cannot write the baseline 'before'"):
        baselines.save(run(), "before", Store(tmp_path / "store"))
