"""Charts of the ledger, as SVG: the verdicts, and a claim's margins and figures over the seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.judging import statistics
from mnistrobust.report import svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from mnistrobust.judging.verdicts import Place, Verdict

_WIDTH, _HEIGHT, _AXIS, _EDGE = 264, 54, 32.0, 8.0  # of a strip
_LINE, _GROUND = 24, 20.0  # of a strip of margins: its height, and where its axis is
_COLUMN = 4.0  # dots of one column stand above each other


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a strip shows of one figure: seeds, this run, the document's number and single draws."""

    replicates: Sequence[float] = ()
    runs: Sequence[float] = ()
    reported: float | None = None
    draws: "Place | None" = None

    @property
    def values(self) -> list[float]:
        """All values that the strip has to have room for."""
        reported = [] if self.reported is None else [self.reported]
        draws = [self.draws.low, self.draws.high] if self.draws else []
        return [*self.replicates, *self.runs, *reported, *draws]


def strip(name: str, marks: Marks, alike: Sequence[Marks]) -> "Markup":
    """Draw the seeds, this run and the document's number on a scale shared with the figures `alike`."""
    low = min(min(each.values) for each in alike)
    high, right = max(max(each.values) for each in alike), _WIDTH - _EDGE
    x = svg.scale(low, high, _EDGE, right)
    parts, words = [svg.path([(_EDGE, _AXIS), (right, _AXIS)], "axis")], []
    if marks.replicates:
        spread = f"{min(marks.replicates):.3g} to {max(marks.replicates):.3g}"
        middle = f"median {float(np.median(marks.replicates)):.3g}"
        words.append(f"{len(marks.replicates)} seeds from {spread}, {middle}")
        places = _stacked([x(value) for value in marks.replicates], _AXIS)
        parts.append(svg.dots(places, "replicate"))
    words += [f"this run {value:.3g}" for value in marks.runs[:1]]
    parts += [svg.path([(x(value), 3.0), (x(value), _AXIS)], "run") for value in marks.runs]
    if marks.reported is not None:
        words.append(f"the document {marks.reported:.4g}")
        place, side = x(marks.reported), _AXIS + 4.5
        corners = [(place, side - 5), (place + 5, side), (place, side + 5), (place - 5, side)]
        parts.append(svg.path([*corners, corners[0]], "document"))
    if marks.draws:
        start, end = x(marks.draws.low), x(marks.draws.high)
        words.append(f"single draws mostly {marks.draws.low:.3g} to {marks.draws.high:.3g}")
        # first, below the diamond
        parts.insert(0, svg.bar(start, _AXIS + 2, end - start, 5, "draws"))
    parts.append(svg.label(_EDGE, _HEIGHT - 1, f"{low:.3g}"))
    if high > low:
        parts.append(svg.label(right, _HEIGHT - 1, f"{high:.3g}", "end"))
    return svg.picture(_WIDTH, _HEIGHT, f"{name}: {'; '.join(words)}", parts)


def margins(marks: Marks, reach: float) -> "Markup":
    """Draw each seed's margin as a dot and this run's as a line, on a square-root scale to ±`reach`."""
    root = svg.scale(-(reach**0.5), reach**0.5, _EDGE, _WIDTH - _EDGE)
    seeds, runs = (
        [root(float(np.copysign(abs(value) ** 0.5, value))) for value in values]
        for values in (marks.replicates, marks.runs)
    )
    parts = [
        svg.path([(_EDGE, _GROUND), (_WIDTH - _EDGE, _GROUND)], "axis"),
        svg.path([(root(0), 0.0), (root(0), _LINE - 1.0)], "bound"),
        svg.dots(_stacked(seeds, _GROUND), "replicate"),
        *(svg.path([(x, 2.0), (x, _GROUND)], "run") for x in runs),
    ]
    words = [f"this run {value:+.3g}" for value in marks.runs[:1]]
    if seeds:
        above = sum(value > 0 for value in marks.replicates)
        words.insert(0, f"above 0 for {above} of {len(seeds)} seeds")
    return svg.picture(_WIDTH, _LINE, f"margins: {'; '.join(words)}", parts)


def verdicts(judged: "Sequence[Verdict]") -> "Markup":
    """Draw a dot for each claim where its hold-rate is, and the zones of the verdicts."""
    seeds, x, ground = judged[0].replicates, svg.scale(0, 1, 14, 346), 128.0
    zones = [statistics.verdict(held, seeds) for held in range(seeds + 1)]
    wide = (x(1) - x(0)) / seeds  # of one seed
    parts = [
        svg.bar(
            x(zones.index(word) / seeds) - wide / 2, 0, count * wide, ground + 8, f"zone {word}"
        )
        for word, count in Counter(zones).items()
    ]
    parts.append(svg.path([(x(0) - wide / 2, ground + 8), (x(1) + wide / 2, ground + 8)], "axis"))
    at = _stacked([x(verdict.held / seeds) for verdict in judged], ground, 11.0, 11.0)
    counts = Counter(verdict.word for verdict in judged)
    for word in counts:
        dots = [place for place, each in zip(at, judged, strict=True) if each.word == word]
        parts.append(svg.dots(dots, f"claims {word}"))
    ticks = (0, seeds // 2, seeds)
    parts += [svg.label(x(held / seeds), ground + 22, held, "middle") for held in ticks]
    says = ", ".join(f"{count} {word}" for word, count in counts.items())
    return svg.picture(360, 154, f"claims by how many seeds they hold for: {says}", parts)


def _stacked(
    places: Sequence[float], axis: float, column: float = _COLUMN, step: float = 4.0
) -> list[tuple[float, float]]:
    """Put dots that would hide each other above each other, closer where they are many."""
    columns = [int(place / column) for place in places]
    heights = [columns[:i].count(each) for i, each in enumerate(columns)]
    step = min(step, (axis - 8) / max([*heights, 1]))
    return [(x, axis - 4 - step * height) for x, height in zip(places, heights, strict=True)]
