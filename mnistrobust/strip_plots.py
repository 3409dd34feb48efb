"""A claim's worlds as strips of dots: the margin, and each figure that the document reports."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust.claims import Claim
from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import row
from mnistrobust.plots import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 60  # dots of one bin stand above each other
_ROW, _TITLE = 1.05, 1.0  # inches


def strips(claim: Claim, evidence: Evidence) -> "Figure":
    """Draw a strip for the margin and for each reported figure, a dot for each world.

    The bound of the words is the line at margin 0, the document's figure an orange diamond, and
    single looks like its own are the light band's dots below. Raises UsageError for a claim that
    the evidence does not have.
    """
    from matplotlib.figure import Figure

    measured = evidence.claims.get(claim.id)
    if measured is None:
        raise UsageError(f"No evidence of {claim.id}: make it with '{evidence.head.command}'.")
    reported = [name for name in claim.reported if measured.looks(name)]
    count = len(reported) + bool(measured.margins)
    if not count:
        raise UsageError(f"{claim.id} has no margin, and the document no figure to compare with.")
    figure = Figure(figsize=(6.4, _TITLE + _ROW * count), dpi=120, layout="constrained")
    axes = list(np.ravel(np.array(figure.subplots(count, 1))))
    verdict = row(claim, evidence).judged
    figure.suptitle(
        f"{claim.id}, {evidence.worlds} worlds of {evidence.head.dataset}\n{'; '.join(verdict[:2])}\n"
        "● a world   | a single look   ◆ the document",
        fontsize="small",
    )
    if measured.margins:
        strip(axes.pop(0), measured.margins["margin"], name="margin", line=0)
    for ax, name in zip(axes, reported, strict=True):
        looks = measured.looks(name)
        worlds = measured.figures.get(name, ())
        strip(ax, worlds, name=name, looks=looks, reported=claim.reported[name])
    return figure


def strip(
    ax: "Axes",
    worlds: Any,
    *,
    name: str,
    looks: Any = (),
    reported: float | None = None,
    line: float | None = None,
) -> "Axes":
    """Draw values of worlds as dots above the axis, and single looks as grey ticks below it.

    `worlds` and `looks` are sequences of numbers, `reported` the document's number.
    """
    values = np.asarray(worlds, float)
    if line is not None:
        ax.axvline(line, color=GREY, linestyle=":", linewidth=1.5)
    if len(looks) > len(values):
        ax.plot(looks, np.full(len(looks), -0.6), "|", color=GREY, alpha=0.25, markersize=9)
    heights = _stacked(values) + 0.4
    ax.plot(values, heights, "o", color=BLUE, alpha=0.7, markersize=4, markeredgewidth=0)
    if reported is not None:
        ax.plot([reported], [-0.6], "D", color=ORANGE, markeredgecolor="black", markersize=7)
        ax.annotate(
            f"document {reported:g}", (reported, -0.6), (0, -14), textcoords="offset points",
            ha="center", fontsize="x-small",
        )  # fmt: skip
    ax.set_ylim(-1.9, max(3.0, heights.max(initial=0) + 1))
    ax.set_yticks([])
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    ax.tick_params(labelsize="x-small")
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.margins(x=0.08)
    return ax


def _stacked(values: np.ndarray) -> np.ndarray:
    """Return for each value how many of its bin stand below it."""
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    width = (high - low) / _BINS or 1.0
    heights = np.zeros(len(values))
    filled: dict[int, float] = {}
    for i, place in enumerate(((values - low) // width).astype(int)):
        heights[i] = filled.get(place, 0)
        filled[place] = heights[i] + 1
    return heights
