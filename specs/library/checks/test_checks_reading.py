"""How inputs, outputs and models of few digits are read, by hand."""

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks import input_format, metrics, opening, predictions
from mnistrobust.checks.inputs import FAMILIES, OUTLIERS, inputs_named
from mnistrobust.checks.model import Model, callable_of
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outliers import scores_of
from mnistrobust.checks.outputs import (
    LOG_PROBABILITIES,
    LOGITS,
    PROBABILITIES,
    ModelError,
    outputs_of,
)
from mnistrobust.checks.session import Predictions
from mnistrobust.errors import UsageError
from specs.library.checks.test_checks_edges import DRAWS, LABELS, ZEROS, predicting, right


@pytest.mark.parametrize("stated", [LOGITS, PROBABILITIES, None])
@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        (predicting(LABELS), PROBABILITIES),
        (np.log(predicting(LABELS)), LOG_PROBABILITIES),
        (5 * predicting(LABELS), LOGITS),
    ],
    ids=["probabilities", "logarithms", "logits"],
)
def test_what_is_stated_of_outputs_counts_before_their_values(outputs, found, stated, few):
    """Values in [0, 1] are logits where the user says so; log-probabilities are logits, too."""
    model = open_model(lambda images: np.resize(outputs, (len(images), 10)), few, outputs=stated)

    assert model.outputs == (
        found if (stated, found) == (LOGITS, LOG_PROBABILITIES) else stated or found
    )


def test_the_best_shape_counts_for_a_kind_of_pixels():
    """What is told of a try is its best accuracy, whichever shape came last."""
    taken = {("784", (0, 1)): right(20), ("28x28", (0, 1)): right(5), ("784", (0, 255)): right(2)}

    assert input_format._trials(taken, LABELS) == {"0..1": 1, "0..255": 0.1}


@pytest.mark.parametrize("given", ["package.module:predict", "model.onnx"])
def test_a_model_of_another_process_has_its_versions(given, few, monkeypatch):
    """The frameworks that it has loaded there; it is opened as the caller says."""
    process = Model(
        name=given, outputs=PROBABILITIES, classes=10, versions={"torch": "2.9"},
        predict=lambda images: predicting(np.arange(len(images)) % 10),
    )  # fmt: skip

    class Child:
        holds_predictions, input_shape, name = False, None, given
        versions, __call__ = process.versions, staticmethod(process.predict)

        def __init__(self, name, **how):
            asked.append((name, how))

    asked = []
    monkeypatch.setattr(opening, "Child", Child)
    monkeypatch.setattr(opening, "check_given", lambda given: ":" in given)
    module = ":" in given
    how = {"trust": not module, "arch": None if module else "cnn"}
    how |= {"seconds": 5, "call_seconds": 2}

    assert open_model(given, few, **how).versions == {"torch": "2.9"}
    assert asked == [(given, {"module": module, **how})]

    monkeypatch.setattr(Child, "holds_predictions", True)
    monkeypatch.setattr(
        Child, "recorded", lambda *given: predicting(ZEROS[: given[2]]), raising=False
    )
    assert open_model(given, few, outputs=LOGITS).outputs == LOGITS
    with pytest.raises(ModelError, match="predictions take no images"):
        open_model(given, few, pixels=(0, 1))


@pytest.mark.parametrize(
    ("stated", "kind"), [(None, PROBABILITIES), (LOGITS, LOGITS), (PROBABILITIES, PROBABILITIES)]
)
def test_what_is_stated_of_recorded_outputs_counts(stated, kind, few):
    """As for a model that predicts."""
    sizes = {name: len(inputs_named(name, few).images) for name in FAMILIES}
    file = SimpleNamespace(recorded=lambda name, _: predicting(ZEROS[: sizes[name]]))

    assert predictions.recorded(file, "m", few, outputs=stated).outputs == kind


@pytest.mark.parametrize(
    ("outputs", "whole"),
    [
        (100 * predicting(LABELS), 100),
        (np.rint(255 * predicting(LABELS)).astype(np.uint8), 255),
        (101 * predicting(LABELS), None),
        (100 * predicting(LABELS) - 1, None),
    ],
    ids=["percentages", "uint8", "another sum", "negative"],
)
def test_percentages_are_no_logits(outputs, whole, few):
    """As such they would be far too confident; --logits takes them as what they are not."""

    def predict(images):
        return np.resize(outputs, (len(images), 10))

    for given in (None, LOGITS):
        if whole is None or given:
            assert open_model(predict, few, outputs=given).outputs == LOGITS
        else:
            line = f"predict: its scores of each image sum to {whole}: divide them by {whole}"
            with pytest.raises(ModelError, match=line):
                open_model(predict, few)
            file = SimpleNamespace(recorded=lambda _, n: predict(range(n)))
            with pytest.raises(ModelError, match=f"m: its scores .* sum to {whole}"):
                predictions.recorded(file, "m", few)


@pytest.mark.parametrize("kind", [PROBABILITIES, LOG_PROBABILITIES, LOGITS])
def test_an_image_of_nan_says_nothing_about_outputs(kind):
    """What the others hold counts; a check tells of the NaN."""
    probabilities = predicting(LABELS)
    values = {
        PROBABILITIES: probabilities,
        LOG_PROBABILITIES: np.log(probabilities),
        LOGITS: 3 * np.log(probabilities),
    }[kind].copy()
    values[3, 5:] = np.nan

    assert outputs_of(values) == kind
    assert Predictions(values, kind).finite.tolist() == [place != 3 for place in range(20)]


def test_logarithms_are_told_by_every_row():
    """One row whose powers sum to 1 is chance; the logarithm of 0 is finite where it is one."""
    logs = np.log(predicting(LABELS))
    assert outputs_of(np.concatenate([logs, logs + 1])) == LOGITS

    zero = np.full((1, 10), -np.inf)
    finite = {kind: Predictions(zero, kind).finite.all() for kind in (LOG_PROBABILITIES, LOGITS)}
    assert finite == {LOG_PROBABILITIES: True, LOGITS: False}


def test_inputs_are_written_for_models_elsewhere(few, tmp_path, monkeypatch):
    """As they are checked, into a new or an old folder; predictions have one number of classes."""
    names = ("clean", "inverted")
    monkeypatch.setattr(predictions, "FAMILIES", names)
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        paths = predictions.export(few, folder)

    assert [path.name for path in paths] == ["inputs.npz", "README.txt"]
    assert paths[1].read_text("utf-8") == predictions.HOW_TO
    with np.load(paths[0]) as sets:
        assert tuple(sets) == names
        for name in names:
            np.testing.assert_array_equal(sets[name], inputs_named(name, few).images)
    with pytest.raises(UsageError, match="name another folder"):
        predictions.export(few, paths[0])
    file = SimpleNamespace(recorded=lambda name, n: predicting(ZEROS[:n], 0.5, 9 + len(name) // 4))
    with pytest.raises(ModelError, match=r"m: the sets have different numbers .*: \[10, 11\]"):
        predictions.recorded(file, "m", few)


@pytest.mark.parametrize("name", ["README.txt", "inputs.npz"])
def test_an_export_replaces_only_its_own_files(name, few, tmp_path, monkeypatch):
    """A file of the user's by one of these names stays, and nothing is written beside it."""
    monkeypatch.setattr(predictions, "FAMILIES", ("clean",))
    (tmp_path / name).write_text(f"mine, not {predictions.HOW_TO}", "utf-8")

    with pytest.raises(UsageError, match=f"{name} is no earlier export's; name another folder"):
        predictions.export(few, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text("utf-8").startswith("mine")
    with pytest.raises(UsageError, match=f"{name}: it is no folder; name another folder"):
        predictions.export(few, tmp_path / name)


def test_the_shape_with_the_most_accurate_predictions_is_taken(few):
    """A model that takes every shape is asked as it was trained."""
    known = few.test_images.reshape(-1, 28, 28)

    def predict(images):
        turned = images.ndim != 3
        pixels = images.reshape(-1, 28, 28)
        labels = LABELS[[np.abs(known - each).sum(axis=(1, 2)).argmin() for each in pixels]]
        return predicting((labels + turned) % 10)

    assert open_model(predict, few).input_shape == "28x28"


def test_a_noise_class_is_no_digit_to_any_score():
    """MSP is a digit's probability; energy and entropy are of the digits, whatever the alarm."""
    logits = np.array([[5.0, *[0.0] * 9, -9.0], [5.0, *[0.0] * 9, 9.0]])

    scores = scores_of(Predictions(logits, LOGITS))

    assert set(scores) == {"msp", "entropy", "energy", "noise_class"}
    assert scores["msp"] == pytest.approx([0.943, 0.018], abs=0.001)
    assert scores["noise_class"] == pytest.approx([1, 0.019], abs=0.001)
    assert scores["entropy"][1] == pytest.approx(scores["entropy"][0])
    assert scores["energy"].tolist() == [metrics.energy(logits[:1, :10])[0]] * 2


def test_equal_scores_count_half():
    """Digits and others that no score tells apart have an AUROC of a half."""
    assert metrics.detection(np.full(3, 0.5), np.full(4, 0.5))["auroc"] == 0.5


def test_detection_is_counted_by_hand():
    """Of three digits, two lie above the only other input, and one below it."""
    figures = metrics.detection(np.array([0.9, 0.8, 0.3]), np.array([0.5]))

    assert figures == pytest.approx(
        {
            "auroc": 2 / 3,
            "aupr_in": (1 + 1 + 3 / 4) / 3,
            "aupr_out": 1 / 2,
            "fpr95_digits_positive": 1,
            "fpr95_others_positive": 1 / 3,
        }
    )


def test_each_set_is_as_its_summary_says(few):
    """Of digits their labels, of noise none; pixels in the stated range and distribution."""
    sets = {name: inputs_named(name, few) for name in FAMILIES}
    clean = sets["clean"].images

    unlabelled = {name for name, each in sets.items() if each.labels is None}
    assert unlabelled == {*OUTLIERS} - {"inverted"}
    assert {*np.unique(sets["bernoulli"].images)} == {0, 1}
    assert not sets["blank"].images.any()
    np.testing.assert_array_equal(sets["inverted"].images, 1 - clean)
    np.testing.assert_array_equal(sets["threshold"].images, clean >= np.float32(0.9))
    np.testing.assert_array_equal(
        np.sort(sets["permuted"].images, axis=1), np.sort(few.test_images[few.subset], axis=1)
    )
    assert sets["scaled"].images.mean() == pytest.approx(5, abs=0.1)
    gaussian = sets["gaussian"].images
    assert [(gaussian == end).mean() for end in (0, 1)] == pytest.approx([0.3085] * 2, abs=0.02)
    smooth, rough = (
        np.abs(np.diff(sets[name].images[:20].reshape(20, 28, 28), axis=2)).mean()
        for name in ("low-frequency", "uniform")
    )
    assert smooth < rough / 2


@pytest.mark.parametrize("name", ["clean", "reordered", "gaussian", "uniform", "rotate:15"])
def test_no_model_changes_a_set(name, few):
    """One that writes to its input gets an error, in place of other images for the next check."""
    for array in inputs_named(name, few):
        if array is not None:
            with pytest.raises(ValueError, match="read-only"):
                array[:] = 0


def test_offset_noise_is_eight_draws_of_the_digits(few):
    """Each draw has its own offset, and the labels of the digits."""
    images, labels = inputs_named("offset-noise", few)

    offsets = (images.reshape(8, 20, 784) - few.test_images)[:, 0]
    assert len(np.unique(offsets, axis=0)) == 8
    assert labels.tolist() == DRAWS.tolist()


def test_a_module_of_the_users_may_be_called_torch(monkeypatch):
    """What has no layers is not PyTorch."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(predict=len))

    assert callable_of(len) is len


def test_a_pytorch_module_predicts_in_evaluation_mode(monkeypatch):
    """Dropout and batch statistics are off, no gradient is kept, and a method may take arrays."""

    class Module:
        training, parameters = True, lambda _: iter(())

        def eval(self):
            self.training = False

        def __call__(self, images):
            return images, self.training, torch.grad

    @contextmanager
    def no_grad():
        torch.grad = False
        yield
        torch.grad = True

    torch = SimpleNamespace(nn=SimpleNamespace(Module=Module), grad=True, no_grad=no_grad)
    torch.empty = lambda _: SimpleNamespace(device="here", dtype="half")
    torch.from_numpy = lambda images: SimpleNamespace(to=lambda *where: (images, *where))
    monkeypatch.setitem(sys.modules, "torch", torch)

    assert callable_of(Module())("images") == (("images", "here", "half"), False, False)

    class OfArrays(Module):
        def predict_proba(self, images):
            if isinstance(images, tuple):  # a tensor, here
                raise self.error
            return images

    model = OfArrays()
    for kind in (TypeError, AttributeError, AssertionError, ValueError):
        model.error = kind()
        assert callable_of(model)("images") == "images"
    model.error = RuntimeError("of a layer")
    with pytest.raises(RuntimeError, match="of a layer"):
        callable_of(model)("images")
