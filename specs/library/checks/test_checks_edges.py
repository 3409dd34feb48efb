"""Each check passes at its bound and fails just beyond, on predictions made by hand for few digits."""

from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.checks import check, page
from mnistrobust.checks import report as reports
from mnistrobust.checks.bounds import bounded
from mnistrobust.checks.check import Check
from mnistrobust.checks.inputs import FAMILIES, OUTLIERS, inputs_named
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import (
    LOGITS,
    PROBABILITIES,
)
from mnistrobust.checks.run import CHECKS, run
from mnistrobust.checks.session import Session
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


def judged(few, name, recorded):
    """What a check says of predictions that were made elsewhere."""
    classes = next(iter(recorded.values())).shape[1]
    model = Model(name="by hand", outputs=PROBABILITIES, classes=classes, recorded=recorded)
    return run(model, few, only=[name], known=bounded(CHECKS, OWN))


@pytest.mark.parametrize("before", [8, 11, 16])
def test_a_tenth_less_is_no_more_than_a_tenth_whatever_the_rounding(before, few):
    """The accuracies differ by two images of twenty, and as floats by more than a tenth."""
    kept = {"clean": right(before), "threshold": right(before - 2)}

    assert judged(few, "threshold_accuracy", kept).results[0].status == check.PASSED


def test_probabilities_of_bfloat16_are_rounded_more(few):
    """Eight bits of each move a sum of ten by up to 0.004; float32 values have no such excuse."""
    name = "probabilities_sum_to_one"
    exact = np.resize(np.float32([0.75, 0.25 + 2**-9, *[0] * 8]), (10_000, 10))
    for outputs, status in (
        (exact, "passed"), (exact + np.float32(1e-7), "failed"), (exact * 1.25, "failed"),
    ):  # fmt: skip
        sizes = {each: len(inputs_named(each, few).images) for each in FAMILIES}
        recorded = {each: outputs[:size] for each, size in sizes.items()}
        assert judged(few, name, recorded).results[0].status == status


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


def of_batches_of_seven(images):
    return predicting(ZEROS[: len(images)], 0.8 if len(images) == 7 else 0.9)


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
        (of_batches_of_seven, {"batch_invariance"}),
        (Counting(), {*LIVE}),
    ],
    ids=["constant", "of position", "of batch size", "of one size alone", "of the call"],
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
    model = replace(model, recorded={"clean": predicting(np.where(np.arange(20) < 15, 2, LABELS))})
    assert Session(model, many).broken.endswith("it predicts 2 for 75% of the images")


def test_a_check_has_its_own_arithmetic_and_a_report_its_share(few):
    """NumPy warns in it, whatever the caller's settings; what is done is told as a share."""

    def judge(_):
        return None, "", np.geterr()

    own = {
        name: Check(
            name=name, group="g", kind="k", statement="S.", bound=None, why="w", judge=judge
        )
        for name in "ab"
    }
    model, told = Model(name="m", outputs=LOGITS, classes=10), []
    with np.errstate(all="raise"):
        found = run(model, few, known=own, tell=lambda *said: told.append(said))

    warns = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    assert [each.figures for each in found.results] == [warns, warns]
    assert told == [("checking a", 0), ("checking b", 0.5)]


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
    figures = {"largest_gap": 0.000123, "lowest": 0.0, "highest": 0.001}
    said = "largest gap 1.2e-04, lowest 0.0000, highest 0.0010"
    assert reports.summary(replace(result, figures=figures)) == said


@pytest.mark.parametrize(("hits", "guesses"), [(10, False), (2, True)])
def test_pixels_are_doubted_only_near_chance(few, hits, guesses):
    """A model of accuracy 0.5 reads its images rightly; one of 0.1 may not."""
    trials = {"0..1": 0.1, "0..255": 0.08}
    model = Model(
        name="m", outputs=PROBABILITIES, classes=10, trials=trials, recorded={"clean": right(hits)}
    )

    (result,) = run(model, few, only=["clean_accuracy"]).results

    assert ("tried pixels" in result.reason) is guesses


def test_numbers_that_are_none_are_told_in_place_of_figures(few, capsys):
    """In a batch, in a report, which offers no bound, and in a page, which has no pictures."""

    def predict(images):
        outputs = predicting(LABELS[: len(images)])
        outputs[3] = np.nan
        return outputs

    recorded = everywhere(0) | {"clean": right(20), "blank": np.full((20, 10), np.nan)}
    known = Model(name="m", outputs=PROBABILITIES, classes=10, recorded=recorded)
    (result,) = run(replace(known, predict=predict), few, only=["repeatability"]).results
    assert result.reason == "NaN or infinity for digits"

    reports.print_report(run(known, few, only=["finite_output"]))
    told = capsys.readouterr().out
    assert "Expected no NaN and no infinity for any input; not finite: 20 images of blank." in told
    assert "What you accept: --expect-failure finite_output=REASON\n" in told

    recorded["clean"] = recorded["blank"]
    assert "<img" not in page.html(run(known, few, only=["finite_output"]))


def test_only_a_failure_says_what_to_try(few, capsys):
    """Its line ends with the check's remedy."""
    for hits, told in ((20, False), (15, True)):
        model = Model(name="m", outputs=PROBABILITIES, classes=10, recorded={"clean": right(hits)})
        reports.print_report(run(model, few, only=["clean_accuracy"]))

        assert (CHECKS["clean_accuracy"].remedy in capsys.readouterr().out) is told
