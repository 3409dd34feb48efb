"""What the pictures and the figures of the checks' report show: of which images, in which order."""

from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks import outliers, page
from mnistrobust.checks.inputs import OUTLIERS
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import PROBABILITIES
from mnistrobust.checks.run import run
from mnistrobust.checks.session import Predictions, Session

CONFIDENCE = np.linspace(0.3, 0.99, 1000)


@pytest.fixture(scope="module")
def recorded(mnist5k):
    """Predictions of digits, ever more confident, every fourth wrong; all others are unsure."""
    labels = mnist5k.test_labels
    top = np.where(np.arange(1000) % 4, labels, (labels + 1) % 10)
    clean = np.tile(((1 - CONFIDENCE) / 9)[:, None], 10)
    clean[np.arange(1000), top] = CONFIDENCE
    unsure = {name: np.full((10_000 if name == "uniform" else 1000, 10), 0.1) for name in OUTLIERS}
    return {"clean": clean, **unsure}


@pytest.fixture(scope="module")
def session(recorded, mnist5k):
    """A model that predicts them."""
    model = Model(name="m", outputs=PROBABILITIES, classes=10, recorded=recorded)
    return Session(model, mnist5k)


def test_the_most_confident_mistakes_come_first(session, mnist5k):
    """Each with its label, the prediction and its confidence; of 250, as many as fit."""
    drawn = page._mistakes(session, session.predictions("clean"))

    (ax,) = drawn.axes
    titles = [each.get_text() for each in ax.texts]
    places = range(996, 996 - 4 * page.MISTAKES, -4)
    labels = [int(mnist5k.test_labels[place]) for place in places]
    assert titles == [
        f"{label} → {(label + 1) % 10} ({CONFIDENCE[place]:.0%})"
        for label, place in zip(labels, places, strict=True)
    ]
    shown = np.asarray(ax.images[0].get_array()).ravel()
    np.testing.assert_allclose(shown, mnist5k.test_images[996], atol=1e-6)


def test_a_mistake_that_is_nearly_certain_is_not_told_as_certain(session):
    """Nor as one of several that all have 100%."""
    mistakes = SimpleNamespace(
        right=np.zeros(1000, bool), top=np.full(1000, 3), confidence=np.full(1000, 0.996)
    )

    titles = [each.get_text() for each in page._mistakes(session, mistakes).axes[0].texts]
    assert {title.partition("→ ")[2] for title in titles} == {"3 (99.6%)"}


def test_outliers_are_drawn_beside_digits(session, recorded):
    """Median, middle half and 90% of the confidence in a digit, of each set that is predicted."""
    drawn = page._outliers(session, session.predictions("clean"))

    (ax,) = drawn.axes
    named = [tick.get_text() for tick in ax.get_yticklabels()]
    assert named == [*reversed(OUTLIERS), "digits"]
    lines = [line.get_xdata() for line in ax.lines]
    np.testing.assert_allclose(np.concatenate(lines[:-3]), 0.1)
    digits = recorded["clean"].max(axis=1)
    shares = ((0.05, 0.95), (0.25, 0.75), (0.5,))
    for values, share in zip(lines[-3:], shares, strict=True):
        np.testing.assert_allclose(values, np.quantile(digits, share), rtol=1e-6)


def test_confidence_in_the_noise_class_is_none_in_a_digit(mnist5k):
    """A model that is certain of noise is confident of no digit."""
    sizes = {name: 10_000 if name == "uniform" else 1000 for name in ("clean", *OUTLIERS)}
    recorded = {name: np.tile(np.eye(11)[10], (n, 1)) for name, n in sizes.items()}
    model = Model(name="m", outputs=PROBABILITIES, classes=11, recorded=recorded)
    session = Session(model, mnist5k)

    (ax,) = page._outliers(session, session.predictions("clean")).axes

    assert max(np.max(line.get_xdata()) for line in ax.lines) < 0.01


def test_calibration_is_drawn_as_accuracy_against_confidence(session):
    """A point for each bin: of 15, those from 0.3 on; three of four predictions are right."""
    _, ax = page._calibration(session.predictions("clean")).axes
    confidence, accuracy = ax.lines[1].get_data()

    assert 0.3 < confidence[0] < confidence[-1] < 0.99
    np.testing.assert_allclose(np.diff(confidence)[1:-1], 1 / 15, atol=1e-3)
    np.testing.assert_allclose(accuracy, 0.75, atol=0.02)


@pytest.mark.parametrize("name", ["ece_equal_width", "ece_equal_mass"])
def test_the_figures_of_calibration_are_those_of_the_predictions(name, session):
    """Accuracy and mean confidence each under its own name."""
    (result,) = run(session.model, session.dataset, only=[name]).results

    figures = result.figures
    assert figures["accuracy"] == pytest.approx(0.75)
    assert figures["mean_confidence"] == pytest.approx(CONFIDENCE.mean())
    rows = figures["reliability"]
    assert sum(row["count"] for row in rows) == 1000
    assert figures["value"] == pytest.approx(
        sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / 1000
    )


@pytest.mark.parametrize("family", OUTLIERS)
def test_digits_are_compared_with_as_many_outliers(family):
    """With inverted ones of the same digits, which are some of those of full MNIST."""
    some, certain, unsure = np.array([1, 3]), np.eye(10)[[0]], np.full((1, 10), 0.1)
    rows = [certain if row in some else unsure for row in range(4)]
    others = rows[::-1] if family == "inverted" else [unsure, unsure]
    sets = {"clean": Predictions(np.concatenate(rows), PROBABILITIES)}
    sets[family] = Predictions(np.concatenate(others), PROBABILITIES)
    model = SimpleNamespace(dataset=SimpleNamespace(subset=some), predictions=sets.get)

    _, _, figures = outliers._less_confident(model, family)

    assert figures["msp"]["auroc"] == 1
