"""Charts of the ledger, as SVG: a claim's worlds, its hold-rate, and shares of all claims.

Numbers in, markup out. Each says in words what it shows, for those who cannot see it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.report import svg
from mnistrobust.statistics import FAILS_BELOW, HOLDS_ABOVE

if TYPE_CHECKING:
    from markupsafe import Markup

    from mnistrobust.verdicts import Place, Verdict

_WIDTH, _HEIGHT, _AXIS, _EDGE = 264, 54, 32.0, 8.0  # of a strip
_COLUMNS = 60  # dots of one column stand above each other


def strip(
    name: str,
    worlds: Sequence[float],
    *,
    runs: Sequence[float] = (),
    reported: float | None = None,
    looks: "Place | None" = None,
) -> "Markup":
    """Draw a dot for each world, a line for this run, and a diamond for the document's number.

    The bar below the axis spans the middle 90 % of single looks; the dotted line is the bound
    that a margin has at 0.
    """
    values = [*worlds, *runs]
    if reported is not None:
        values.append(reported)
    if looks:
        values += [looks.low, looks.high]
    if name == "margin":
        values.append(0.0)
    low, high = min(values), max(values)
    scale = (_WIDTH - 2 * _EDGE) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return _EDGE + (value - low) * scale if high > low else _WIDTH / 2

    parts = [svg.line(_EDGE, _AXIS, _WIDTH - _EDGE, _AXIS, "axis")]
    if looks:
        parts.append(svg.bar(x(looks.low), _AXIS + 2, x(looks.high) - x(looks.low), 5, "looks"))
    if name == "margin":
        parts.append(svg.line(x(0), 1, x(0), _AXIS + 5, "bound"))
    parts += [svg.line(x(value), 3, x(value), _AXIS, "run") for value in runs]
    parts.append(svg.dots(_stacked([x(value) for value in worlds]), "world"))
    if reported is not None:
        parts.append(_diamond(x(reported), _AXIS + 4.5))
    parts.append(svg.label(_EDGE, _HEIGHT - 1, f"{low:.3g}"))
    if high > low:
        right = _WIDTH - _EDGE
        parts.append(svg.label(right, _HEIGHT - 1, f"{high:.3g}", anchor="end"))
    says = _in_words(name, worlds, runs, reported, looks)
    return svg.picture(_WIDTH, _HEIGHT, says, *parts)


def hold_rate(verdict: "Verdict") -> "Markup":
    """Draw the share of worlds in which a claim holds, its interval, and the verdicts' bounds."""
    width, middle = 200, 10.0

    def x(share: float) -> float:
        return 6 + share * (width - 12)

    return svg.picture(
        width,
        20,
        verdict.rate,
        svg.bar(x(0), 4, x(FAILS_BELOW) - x(0), 12, "zone refuted"),
        svg.bar(x(HOLDS_ABOVE), 4, x(1) - x(HOLDS_ABOVE), 12, "zone reproduced"),
        svg.line(x(0), middle, x(1), middle, "axis"),
        svg.line(x(verdict.low), middle, x(verdict.high), middle, "interval"),
        svg.dots([(x(verdict.held / verdict.worlds), middle)], "rate"),
    )


def shares(counts: Mapping[str, int]) -> "Markup":
    """Draw counts as parts of one bar, each in the colour of its name."""
    width, total = 600.0, sum(counts.values()) or 1
    ends = np.cumsum([0, *counts.values()]) * width / total
    parts = [
        svg.bar(float(left), 0, float(right - left), 14, f"part {name.replace(' ', '-')}")
        for name, (left, right) in zip(counts, pairwise(ends), strict=True)
    ]
    says = ", ".join(f"{count} {name}" for name, count in counts.items())
    return svg.picture(600, 14, says, *parts, class_="wide", stretched=True)


def _stacked(places: Sequence[float]) -> list[tuple[float, float]]:
    """Put dots that would hide each other above each other, closer where they are many."""
    width = (_WIDTH - 2 * _EDGE) / _COLUMNS
    filled: dict[int, int] = {}
    stacks = []
    for place in places:
        column = int(place / width)
        stacks.append((place, filled.get(column, 0)))
        filled[column] = stacks[-1][1] + 1
    step = min(4.0, (_AXIS - 8) / max(max(filled.values(), default=1) - 1, 1))
    return [(place, _AXIS - 4 - step * above) for place, above in stacks]


def _diamond(x: float, y: float) -> "Markup":
    told = f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5-5z"
    return svg.element("path", d=told, class_="document")


def _in_words(
    name: str,
    worlds: Sequence[float],
    runs: Sequence[float],
    reported: float | None,
    looks: "Place | None",
) -> str:
    parts = []
    if worlds:
        median = float(np.median(worlds))
        spread = f"{min(worlds):.3g} to {max(worlds):.3g}, median {median:.3g}"
        parts.append(f"{len(worlds)} worlds from {spread}")
    parts += [f"this run {value:.3g}" for value in runs[:1]]
    if reported is not None:
        parts.append(f"the document {reported:.4g}")
    if looks:
        parts.append(f"single looks mostly {looks.low:.3g} to {looks.high:.3g}")
    return f"{name}: {'; '.join(parts)}"
