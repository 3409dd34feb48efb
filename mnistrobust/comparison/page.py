"""A comparison as one HTML file that needs nothing else, with its pictures inside."""

from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.checks.inputs import inputs_named
from mnistrobust.comparison import text
from mnistrobust.comparison.sides import NO_PREDICTION, SCALE, Predicted
from mnistrobust.comparison.verdict import (
    ACCURACY,
    BETTER,
    SAME,
    WORSE,
    Comparison,
    draws_of,
    labels_of,
)
from mnistrobust.report.pictures import digits, figure, percent, picture, rendered
from mnistrobust.transforms import NOISE_LABEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {WORSE: "#D55E00", BETTER: "#0072B2", SAME: "#777777"}  # of Okabe and Ito's palette
FLIPPED = 24  # pictures, half of them lost


def html(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    where = most_changed(comparison)
    values = {
        "comparison": comparison,
        "sentence": text.sentence(comparison),
        "sides": list(text.sides(comparison)),
        "notes": list(text.notes(comparison, comparison.rows)),
        "columns": text.COLUMNS,
        "rows": [(row.verdict, text.cells_of(row)) for row in comparison.rows],
        "replayed": text.replayed(comparison) if comparison.replays else None,
        "replays": (text.REPLAYED, map(text.replay_cells, comparison.replays)),
        "colours": COLOURS,
        "where": where,
        "differences": picture(_differences(comparison)),
        "confusion": picture(_confusion(comparison, where)),
        "flipped": None if comparison.old.seeds else picture(_flipped(comparison, where)),
    }
    return rendered(__package__, "compare.html", values)


def most_changed(comparison: Comparison) -> str:
    """Return the condition whose accuracy changed most significantly, first as the verdict says."""
    rows = [row for row in comparison.rows if row.figure == ACCURACY]
    return min(rows, key=lambda row: (row.verdict != comparison.verdict, row.paired.p)).on


def _differences(comparison: Comparison) -> "Figure":
    """Draw each difference with its 95% interval; right of 0 is better."""
    rows = list(reversed(comparison.rows))
    drawn, (ax,) = figure(8, 0.24 * len(rows) + 1)
    for place, row in enumerate(rows):
        sign = 1 if row.higher_is_better else -1
        low, high = sorted((sign * row.paired.low, sign * row.paired.high))
        colour = COLOURS[row.verdict]
        ax.plot([low, high], [place, place], color=colour, linewidth=2)
        ax.plot([sign * row.paired.difference], [place], "o", color=colour, markersize=4)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=0.01)
    ax.set_yticks(range(len(rows)), [text.cells_of(row)[0] for row in rows], fontsize=8)
    ax.set_ylim(-0.8, len(rows) - 0.2)
    ax.set_xlabel(
        "← new is worse        difference with 95% interval (symlog)        new is better →"
    )
    ax.grid(axis="x", alpha=0.3)
    return drawn


def _confusion(comparison: Comparison, where: str) -> "Figure":
    """Draw how many more, or fewer, images of each digit the new side predicts as each digit.

    Draws and networks are averaged.
    """
    labels = labels_of(where, comparison.dataset)
    draws = draws_of(len(labels), comparison.dataset)
    counts = []
    for side in (comparison.old, comparison.new):
        predictions = side.sets[where].prediction
        table = np.zeros((10, 11))
        for network in predictions:
            np.add.at(table, (labels, np.minimum(network, 10)), 1 / (len(predictions) * draws))
        counts.append(table)
    change = (counts[1] - counts[0])[:, : 11 if np.any(counts[0][:, 10] + counts[1][:, 10]) else 10]
    drawn, (ax,) = figure(5.4, 4.6)
    largest = max(1.0, float(np.abs(change).max()))
    ax.imshow(change, cmap="PuOr", vmin=-largest, vmax=largest)
    for (digit, predicted), value in np.ndenumerate(change):
        if abs(value) >= 0.5:
            white = "white" if abs(value) > 0.6 * largest else "black"
            shown = f"{value:+.0f}".replace("-", "−")
            ax.text(predicted, digit, shown, ha="center", va="center", fontsize=7, color=white)
    ax.set_yticks(range(10))
    ax.set_xticks(range(change.shape[1]), [*map(str, range(10)), "other"][: change.shape[1]])
    ax.set(xlabel="predicted", ylabel="digit")
    return drawn


def _flipped(comparison: Comparison, where: str) -> "Figure":
    """Draw images that the new network lost, then those that it gained, the most confident first."""
    images, labels = (
        inputs_named(where, comparison.dataset).images,
        labels_of(where, comparison.dataset),
    )
    old, new = (side.sets[where] for side in (comparison.old, comparison.new))
    n = len(labels) // draws_of(len(labels), comparison.dataset)  # each image once
    before, after = ((each.prediction[0] == labels)[:n] for each in (old, new))
    groups = []
    for mask, by, word in ((before & ~after, new, WORSE), (after & ~before, old, BETTER)):
        places = np.flatnonzero(mask)
        places = places[np.argsort(by.confidence[0, places])[::-1]][: FLIPPED // 2]
        titles = (f"{_said(old, place)} → {_said(new, place)}" for place in places.tolist())
        groups.append((images[places], titles, COLOURS[word]))
    return digits(10, 1.15, FLIPPED // 4, groups)


def _said(predicted: Predicted, place: int) -> str:
    top = int(predicted.prediction[0, place])
    said = {NOISE_LABEL: "noise", NO_PREDICTION: "NaN"}.get(top, top)
    return f"{said} ({percent(predicted.confidence[0, place] / SCALE)})"
