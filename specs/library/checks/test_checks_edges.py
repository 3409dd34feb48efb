"""Each check passes at its bound and fails just beyond, on predictions made by hand for few digits."""

import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks import check, metrics, opening, predictions
from mnistrobust.checks import report as reports
from mnistrobust.checks.bounds import bounded
from mnistrobust.checks.inputs import FAMILIES, OUTLIERS, inputs_named
from mnistrobust.checks.model import Model, callable_of
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outliers import scores_of
from mnistrobust.checks.outputs import LOG_PROBABILITIES, LOGITS, PROBABILITIES, outputs_of
from mnistrobust.checks.run import CHECKS, run
from mnistrobust.checks.session import Predictions, Session
from mnistrobust.data import Dataset

LABELS = np.arange(20) % 10
DRAWS = np.tile(LABELS, 8)
ZEROS = np.zeros(10_000, int)


def predicting(labels, confidence=0.99, classes=10):
    """Return probabilities in which some labels have a confidence, and other classes equal parts."""
    confidence = np.broadcast_to(confidence, len(labels))
    probabilities = np.repeat((1 - confidence)[:, None] / (classes - 1), classes, axis=1)
    probabilities[np.arange(len(labels)), labels] = confidence
    return probabilities


def right(count, labels=LABELS):
    """Predict the first `count` labels, and the next digit instead of the others."""
    return predicting(np.where(np.arange(len(labels)) < count, labels, (labels + 1) % 10))


def noise(count, labels):
    """Predict the noise class for the first `count`, and the labels of the others."""
    return predicting(np.where(np.arange(len(labels)) < count, 10, labels), classes=11)


def certain(of_right, of_wrong):
    """Predict 18 of 20 digits rightly, with one confidence, and two wrongly, with another."""
    confidence = np.where(np.arange(20) < 18, of_right, of_wrong)
    return {"clean": predicting(right(18).argmax(axis=1), confidence)}


def everywhere(changed):
    """Predict 0 for every set, and one number of the clean digits by another."""
    sizes = {"uniform": 10_000, "offset-noise": 160}
    known = {name: predicting(ZEROS[: sizes.get(name, 20)]) for name in FAMILIES}
    known["clean"][3, 5] += changed
    return known


EDGES = {  # predictions for some sets with which a check passes, and with which it fails
    "finite_output": (everywhere(0), everywhere(np.nan)),
    "probabilities_sum_to_one": (everywhere(0.0009), everywhere(0.0011)),
    "clean_accuracy": ({"clean": right(18)}, {"clean": right(17)}),
    "every_digit": ({"clean": right(20)}, {"clean": right(19)}),
    "threshold_accuracy": tuple({"clean": right(20), "threshold": right(n)} for n in (18, 17)),
    "offset_noise_accuracy": tuple(
        {"clean": right(20), "offset-noise": right(n, DRAWS)} for n in (144, 143)
    ),
    "inverted_accuracy": tuple({"clean": right(20), "inverted": right(n)} for n in (18, 17)),
    "pure_noise_uncertainty": tuple(
        {
            "clean": right(20),
            "uniform": predicting(ZEROS, np.where(np.arange(10_000) < n, 0.901, 0.899)),
        }
        for n in (2500, 2501)
    ),
    "noise_class_keeps_digits": ({"clean": noise(0, LABELS)}, {"clean": noise(1, LABELS)}),
    "noise_class_catches_pure_noise": tuple(
        {"clean": noise(0, LABELS), "uniform": noise(n, ZEROS)} for n in (9900, 9899)
    ),
    "nll": (certain(0.99, 0.6), certain(0.95, 0.95)),
    "brier": (certain(0.99, 0.6), certain(0.95, 0.95)),
} | {
    f"less_confident_on_{family.replace('-', '_')}": tuple(
        {"clean": predicting(LABELS, 0.8), family: predicting(ZEROS if family == "uniform" else LABELS, confidence)}
        for confidence in (0.7, 0.8)
    )
    for family in OUTLIERS
}  # fmt: skip
OWN = {  # bounds of a user, for checks that have none of ours
    "offset_noise_accuracy": 0.9,
    "inverted_accuracy": 0.9,
    "less_confident_on_scaled": 0.51,
    "less_confident_on_inverted": 0.51,
}
LIVE = ("batch_invariance", "order_invariance", "repeatability")


@pytest.fixture(scope="module")
def few(mnist5k):
    """Two held-out images of each digit."""
    rows = np.concatenate([np.flatnonzero(mnist5k.test_labels == digit)[:2] for digit in range(10)])
    ordered = rows.reshape(10, 2).T.ravel()
    arrays = {name: mnist5k.arrays[name][ordered] for name in ("x_test", "y_test")}
    return Dataset(mnist5k.source, arrays)


def judged(few, name, recorded):
    """What a check says of predictions that were made elsewhere."""
    classes = next(iter(recorded.values())).shape[1]
    model = Model(name="by hand", outputs=PROBABILITIES, classes=classes, recorded=recorded)
    return run(model, few, only=[name], known=bounded(CHECKS, OWN))


def test_every_bounded_check_has_its_edge():
    """A new check needs predictions here that pass and that fail."""
    assert {name for name, each in bounded(CHECKS, OWN).items() if each.bound} >= {*EDGES, *LIVE}
    assert {name for name, each in CHECKS.items() if each.bound} == {*EDGES, *LIVE} - {*OWN}


@pytest.mark.parametrize("name", EDGES)
def test_a_check_changes_at_its_bound(name, few):
    """The status, and whether the whole report is good, are told by the bound alone."""
    for recorded, status in zip(EDGES[name], (check.PASSED, check.FAILED), strict=True):
        report = judged(few, name, recorded)

        assert [each.status for each in report.results] == [status], report.results[0].reason
        assert report.good == (status == check.PASSED)


def of_position(images):
    return predicting(LABELS[: len(images)] if len(images) <= 20 else ZEROS[: len(images)])


def of_batch_size(images):
    return predicting(ZEROS[: len(images)], 0.5 + 1 / (3 + len(images)))


class Counting:
    """A model that is surer with each call."""

    calls = 0

    def __call__(self, images):
        self.calls += 1
        return predicting(ZEROS[: len(images)], 0.5 + min(self.calls, 100) / 250)


@pytest.mark.parametrize(
    ("predict", "fails"),
    [
        (lambda images: predicting(ZEROS[: len(images)]), set()),
        (of_position, {"batch_invariance", "order_invariance"}),
        (of_batch_size, {"batch_invariance"}),
        (Counting(), {*LIVE}),
    ],
    ids=["constant", "of position", "of batch size", "of the call"],
)
def test_a_check_of_calls_fails_where_predictions_depend_on_them(predict, fails, few):
    """On the place in a batch, on the batch's size, or on earlier calls."""
    model = Model(name="live", outputs=PROBABILITIES, classes=10, predict=predict)

    report = run(model, few, only=LIVE)

    assert {each.check.name for each in report.results if each.status == check.FAILED} == fails


def test_a_pass_against_expectation_is_not_good(few):
    """Nor is a check that says nothing about the model; a failure as expected is."""
    for recorded, good in zip(EDGES["clean_accuracy"], (False, True), strict=True):
        model = Model(name="m", outputs=PROBABILITIES, classes=10, recorded=recorded)

        assert (
            run(model, few, only=["clean_accuracy"], expected={"clean_accuracy": "?"}).good == good
        )


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


def test_chance_is_the_most_frequent_digit(few):
    """Where half of the digits are 1s, a model that always predicts 1 does not work."""
    labels = np.where(np.arange(20) % 2, 1, LABELS).astype(np.uint8)
    many = Dataset(few.source, {"x_test": few.arrays["x_test"], "y_test": labels})
    model = Model(
        name="m", outputs=PROBABILITIES, classes=10, recorded={"clean": predicting(ZEROS[:20] + 1)}
    )

    said = Session(model, many).broken

    assert said is not None
    assert "accuracy 0.5000 on clean digits is no better than chance" in said
    assert said.endswith("it predicts 1 for every image")


def test_the_best_shape_counts_for_a_kind_of_pixels():
    """What is told of a try is its best accuracy, whichever shape came last."""
    taken = {("784", (0, 1)): right(20), ("28x28", (0, 1)): right(5), ("784", (0, 255)): right(2)}

    assert opening._trials(taken, LABELS) == {"0..1": 1, "0..255": 0.1}


@pytest.mark.parametrize("given", ["package.module:predict", "model.onnx"])
def test_a_model_of_another_process_has_its_versions(given, few, monkeypatch):
    """The frameworks that it has loaded there."""
    process = Model(
        name=given, outputs=PROBABILITIES, classes=10, versions={"torch": "2.9"},
        predict=lambda images: predicting(np.arange(len(images)) % 10),
    )  # fmt: skip

    class Child:
        holds_predictions, input_shape, name = False, None, given
        versions, __call__ = process.versions, staticmethod(process.predict)

        def __init__(self, *_, **__):
            pass

    monkeypatch.setattr(opening, "Child", Child)
    monkeypatch.setattr(opening, "check_given", lambda given: ":" in given)

    assert open_model(given, few).versions == {"torch": "2.9"}


@pytest.mark.parametrize(
    ("stated", "kind"), [(None, PROBABILITIES), (LOGITS, LOGITS), (PROBABILITIES, PROBABILITIES)]
)
def test_what_is_stated_of_recorded_outputs_counts(stated, kind, few):
    """As for a model that predicts."""
    sizes = {name: len(inputs_named(name, few).images) for name in FAMILIES}
    file = SimpleNamespace(recorded=lambda name, _: predicting(ZEROS[: sizes[name]]))

    assert predictions.recorded(file, "m", few, outputs=stated).outputs == kind


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


def test_confidence_in_the_noise_class_is_no_confidence_in_a_digit(few):
    """A model that is certain of noise passes the check of uncertainty on it."""
    recorded = {"clean": noise(0, LABELS), "uniform": noise(10_000, ZEROS)}
    report = judged(few, "pure_noise_uncertainty", recorded)

    assert [each.status for each in report.results] == [check.PASSED]


def test_scores_are_of_the_probabilities_as_they_are(few):
    """Neither rounded nor smoothed: means of the logarithms and of the squared errors."""
    recorded = certain(0.999, 0.5)
    values = [judged(few, name, recorded).results[0].figures["value"] for name in ("nll", "brier")]

    truth = recorded["clean"][np.arange(20), LABELS]
    squared = (recorded["clean"] - np.eye(10)[LABELS]) ** 2
    assert values == pytest.approx([-np.log(truth).mean(), squared.sum(axis=1).mean()], rel=1e-9)


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


def test_offset_noise_is_eight_draws_of_the_digits(few):
    """Each draw has its own offset, and the labels of the digits."""
    images, labels = inputs_named("offset-noise", few)

    offsets = (images.reshape(8, 20, 784) - few.test_images)[:, 0]
    assert len(np.unique(offsets, axis=0)) == 8
    assert labels.tolist() == DRAWS.tolist()


def test_a_pytorch_module_predicts_in_evaluation_mode(monkeypatch):
    """Dropout and batch statistics are off, and no gradient is kept."""

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


def test_the_report_has_every_figure_of_detection(few):
    """Of each score, in the order of the table's columns; a failure is told with its bound."""
    name = "less_confident_on_blank"
    report = judged(few, name, EDGES[name][1])
    figures = report.results[0].figures["msp"]

    text = reports.markdown(report, "mnistrobust check m")

    cells = " | ".join(f"{value:.4f}" for value in figures.values())
    assert f"| blank | msp | {cells} |" in text
    assert "AUROC of the maximum softmax probability above 0.5" in text
    assert "1 failed." in text
    assert "Checked on 20 held-out digits of mnist5k" in text


def test_the_labels_alone_share_the_rest_among_nine_other_digits(few):
    """Of 18 right predictions of 20: the baseline that a score has to beat, by Laplace's estimate."""
    recorded = certain(0.99, 0.6)
    told = predicting(recorded["clean"].argmax(axis=1), 19 / 22)
    figures = [
        judged(few, name, recorded).results[0].figures["labels_alone"] for name in ("nll", "brier")
    ]

    losses = -np.log(told[np.arange(20), LABELS])
    squared = ((told - np.eye(10)[LABELS]) ** 2).sum(axis=1)
    assert figures == pytest.approx([losses.mean(), squared.mean()])


def test_the_lowest_recall_is_told(few):
    """A digit that is given up is not hidden behind another."""
    (result,) = judged(few, "every_digit", {"clean": right(20)}).results
    assert reports.summary(result) == "lowest recall 1.0000"

    figures = {"recall": {"0": 1.0, "1": 0.75}}
    assert reports.summary(replace(result, figures=figures)) == "lowest recall 0.7500"


@pytest.mark.parametrize(("hits", "guesses"), [(10, False), (2, True)])
def test_pixels_are_doubted_only_near_chance(few, hits, guesses):
    """A model of accuracy 0.5 reads its images rightly; one of 0.1 may not."""
    trials = {"0..1": 0.1, "0..255": 0.08}
    model = Model(
        name="m", outputs=PROBABILITIES, classes=10, trials=trials, recorded={"clean": right(hits)}
    )

    (result,) = run(model, few, only=["clean_accuracy"]).results

    assert ("tried pixels" in result.reason) is guesses


def test_only_a_failure_says_what_to_try(few, capsys):
    """Its line ends with the check's remedy."""
    for hits, told in ((20, False), (15, True)):
        model = Model(name="m", outputs=PROBABILITIES, classes=10, recorded={"clean": right(hits)})
        reports.print_report(run(model, few, only=["clean_accuracy"]))

        assert (CHECKS["clean_accuracy"].remedy in capsys.readouterr().out) is told
