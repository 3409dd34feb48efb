"""The report of the checks as one HTML file that needs nothing else, with pictures inside."""

from typing import TYPE_CHECKING

import numpy as np

from mnistrobust import plots
from mnistrobust.checks import metrics
from mnistrobust.checks.inputs import OUTLIERS
from mnistrobust.checks.report import counts, figures_of
from mnistrobust.checks.run import Report
from mnistrobust.checks.session import NoPredictionsError, NotApplicableError, Predictions, Session
from mnistrobust.report.pictures import digits, figure, percent, picture, rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISTAKES, _COLUMNS = 24, 8


def html(report: Report) -> str:
    """Return the page of a model's checks; a model without predictions has no pictures."""
    pictures = {}
    try:
        clean = report.session.predictions("clean")
    except (NoPredictionsError, NotApplicableError):
        clean = None
    if clean is not None:
        pictures = {
            "Confidence and calibration on digits": picture(_calibration(clean)),
            "Confidence on images without a digit": picture(_outliers(report.session, clean)),
            "The most confident mistakes": picture(_mistakes(report.session, clean)),
        }
    rows = [(each, figures_of(each, report)) for each in report.results]
    values = {"report": report, "counts": counts(report), "pictures": pictures, "rows": rows}
    return rendered(__package__, "checks.html", values)


def _calibration(clean: Predictions) -> "Figure":
    drawn, (left, right) = figure(9, 3.8, columns=2)
    plots.confidence_histogram(clean.confidence, clean.right, ax=left)
    bins = metrics.equal_width(clean.confidence, clean.right)
    right.plot([0, 1], [0, 1], color=plots.GREY, linewidth=1, label="perfect")
    right.plot(bins.confidence, bins.accuracy, "o-", color=plots.BLUE, label="this model")
    right.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="mean confidence of a bin",
        ylabel="accuracy in it",
        title=f"Calibration error {bins.error:.3f}",
    )
    right.grid(alpha=0.3)
    right.legend(loc="upper left")
    return drawn


def _outliers(session: Session, clean: Predictions) -> "Figure":
    """Draw the middle half and 90% of the confidence in a digit, for each kind of images."""
    sets = {"digits": clean}
    for name in OUTLIERS:
        try:
            sets[name] = session.predictions(name)
        except (NoPredictionsError, NotApplicableError):
            continue
    drawn, (ax,) = figure(9, 0.4 * len(sets) + 0.9)
    for place, predictions in enumerate(reversed(sets.values())):
        digit = predictions.probabilities[:, :10].max(axis=1)
        low, lower, middle, upper, high = np.quantile(digit, (0.05, 0.25, 0.5, 0.75, 0.95))
        colour = plots.BLUE if predictions is clean else plots.ORANGE
        ax.plot([low, high], [place, place], color=colour, linewidth=1.5)
        ax.plot([lower, upper], [place, place], color=colour, linewidth=7, alpha=0.6)
        ax.plot([middle], [place], "|", color="black", markersize=12)
    ax.set_yticks(range(len(sets)), list(reversed(sets)))
    ax.set(xlim=(0, 1.01), xlabel="confidence in a digit: median, middle half, 90% of the images")
    ax.grid(axis="x", alpha=0.3)
    return drawn


def _mistakes(session: Session, clean: Predictions) -> "Figure":
    wrong = np.flatnonzero(~clean.right)
    places = wrong[np.argsort(-clean.confidence[wrong], kind="stable")][:MISTAKES]
    facts = zip(session.dataset.test_labels, clean.top, clean.confidence, strict=True)
    said = [f"{label} → {top} ({percent(confidence)})" for label, top, confidence in facts]
    titles = [said[place] for place in places]
    return digits(9, 1.35, _COLUMNS, [(session.dataset.test_images[places], titles, "black")])
