"""Curves: the margin of each claim against a dose, over seeds, apart from the evidence.

Only `mnistrobust curves` makes them. They say at which doses a claim holds, and judge nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from math import exp, log
from pathlib import Path
from statistics import median

from mnistrobust.curves.axes import AXES, Axis
from mnistrobust.errors import MnistRobustError
from mnistrobust.evidence import Head
from mnistrobust.files import parsed, regular, typed
from mnistrobust.registry import claim_named
from mnistrobust.replicates.keys import code_digests
from mnistrobust.store import code

DIGITS = 4  # significant, of every margin
FILE = Path(__file__).parents[1] / "evidence" / "curves.json"
Range = tuple[float | None, float | None]  # of doses; None: beyond those tried


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The margins of one claim along one axis: a row for each seed, a column for each dose."""

    claim: str
    axis: str
    doses: tuple[float, ...]
    margins: tuple[tuple[float, ...], ...]

    @property
    def along(self) -> Axis:
        """The axis."""
        return AXES[self.axis]

    @property
    def medians(self) -> tuple[float, ...]:
        """The median margin at each dose."""
        return tuple(map(median, zip(*self.margins, strict=True)))

    @property
    def sentence(self) -> str:
        """At which doses the claim holds, by the median margin and for how many seeds."""
        written, ranges = self.along.written, self._holds(self.medians)
        alike = [row for row in map(self._holds, self.margins) if _open(row) == _open(ranges)]
        edges = [edge for row in alike for each in row for edge in each if edge is not None]
        seeds = f"for {len(alike)} of {len(self.margins)} seeds"
        where = " and ".join(self._said(*each) for each in ranges)
        if not ranges or ranges == [(None, None)]:
            number, tried = "all" if ranges else "none", self._phrase(self.doses[0], self.doses[-1])
            where = f"at {number} of the doses tried ({tried}), {seeds}"
        elif len(ranges) == 1 and None in ranges[0] and alike:
            where += f" ({written(min(edges))} to {written(max(edges))} {seeds})"
        own = self.along.document
        margin = self.medians[self.doses.index(own)]
        at = f"At the document's {written(own)}, the median margin is {margin:+.2g}."
        return f"It holds {where}. {at}"

    def _said(self, low: float | None, high: float | None) -> str:
        phrase = self._phrase(*(edge for edge in (low, high) if edge is not None))
        if low is None:
            return f"up to {phrase}"
        return f"from {phrase} on" if high is None else f"for {phrase}"

    def _phrase(self, *doses: float) -> str:
        return self.along.phrase.format(" to ".join(map(self.along.written, doses)))

    def _holds(self, margins: Sequence[float]) -> list[Range]:
        """Return the ranges of doses with a margin above 0, in order, with interpolated edges."""
        scale, back = (log, exp) if self.along.logarithmic else (float, float)
        edges: list[float | None] = [None] if margins[0] > 0 else []
        places = zip(map(scale, self.doses), margins, strict=True)
        for (low, margin), (high, other) in pairwise(places):
            if (margin > 0) != (other > 0):
                edges.append(back(low + (high - low) * margin / (margin - other)))
        edges += [None] if len(edges) % 2 else []
        return list(zip(edges[::2], edges[1::2], strict=True))


def _open(ranges: Sequence[Range]) -> list[tuple[bool, bool]]:
    return [(low is None, high is None) for low, high in ranges]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """All curves, over the same seeds."""

    head: Head
    seeds: tuple[int, ...]
    curves: tuple[Curve, ...]

    @property
    def note(self) -> str:
        """Say that the curves are older than some code, and how to make them anew; or nothing.

        Of what was added since, they say nothing.
        """
        from mnistrobust.judging.regression import different

        known = {name: each for name, each in curve_code().items() if name in self.head.code}
        changed = ", ".join(different(known, self.head.code))
        return f"The curves predate a change of {changed}: run {self.head.command}." * bool(changed)

    def to_json(self) -> str:
        """Return the curves as JSON, a line for each: equal curves give equal text."""
        lines = []
        for each in self.curves:
            rows = [[float(f"{value:.{DIGITS}g}") for value in row] for row in each.margins]
            lines.append(json.dumps({**asdict(each), "margins": rows}))
        head, curves = json.dumps(asdict(self.head), indent=1), ",\n".join(lines)
        return f'{{"head": {head},\n"seeds": {json.dumps(self.seeds)},\n"curves": [\n{curves}]}}\n'

    @classmethod
    def from_json(cls, text: str) -> "Curves":
        """Return the curves that `to_json` wrote; ValueError for anything else."""
        found: Curves = typed(cls, parsed(text), "the file")
        for each in found.curves:
            place = f"{claim_named(each.claim).id}, {each.axis}"
            if each.axis not in AXES or each.along.document not in each.doses:
                raise ValueError(f"{place}: expected a known axis, with the document's dose")
            sizes = [len(row) for row in each.margins]
            if sizes != [len(each.doses)] * len(found.seeds):
                raise ValueError(f"{place}: expected a margin for each seed and dose")
        return found


@cache
def load(path: Path = FILE) -> Curves | None:
    """Return the committed curves, or None if there are none; MnistRobustError if damaged."""
    if not path.is_file():
        return None
    try:
        return Curves.from_json(regular(path).read_text("utf-8"))
    except (OSError, ValueError, MnistRobustError) as error:
        raise MnistRobustError(
            f"The curves {path} are damaged ({error}): restore them, or make them anew with "
            f"'mnistrobust curves'."
        ) from error


@cache
def curve_code() -> Mapping[str, str]:
    """Return digests of the code that curves depend on, by name: that of evidence, and of doses."""
    doses = code.digest("mnistrobust.curves.axes", skip=_IN_EVIDENCE)
    return {**code_digests(), "doses": doses[:20]}


# the doses and phrases, which curves hold or may change, and modules with digests of their own
_IN_EVIDENCE = (
    "mnistrobust.curves.axes:_ALL",
    "mnistrobust.replicates.replicate",
    "mnistrobust.recipes",
    "mnistrobust.conditions",
    "mnistrobust.evaluations",
    "mnistrobust.transforms",
    "mnistrobust.data.dataset",
    "mnistrobust.suite",
    "mnistrobust.store.code",
)
