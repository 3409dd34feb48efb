"""One world against the evidence of many: a regression check of figures and margins.

Each figure and each margin has a prediction interval for one more world. The false-alarm rate of
a whole run, 1 %, is split equally over all of them, so that it holds however they depend on each
other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mnistrobust import intervals, statistics
from mnistrobust.claims import load_claims
from mnistrobust.evidence import Evidence, Measured
from mnistrobust.intervals import ROUNDING, Interval, Scale
from mnistrobust.keys import code_digests
from mnistrobust.ledger import Outcome
from mnistrobust.phrases import MEANINGS

MARGIN = "margin"
BETTER, WORSE, NEUTRAL = "better", "worse", "neutral"
# A figure with one of these words in its name is the worse the higher it is: a loss, certainty
# about noise, or one answer for everything. The others are shares of right answers.
_WORSE_IF_HIGHER = frozenset(
    "loss gap sure confidence fives zeros ones sevens top taken".split()  # noqa: SIM905
)
_NEITHER = frozenset({MARGIN, "dimensions"})


class NotAboveZeroError(AssertionError):
    """The margin of a claim is not above 0: all that a refuted claim is allowed to fail with."""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The intervals that one world is checked against, by claim and by the figure's name.

    `widened` of them have longer tails than Student's t, by which alone `alarms_left_out` of the
    worlds would alarm against all the others.
    """

    evidence: Evidence
    intervals: Mapping[str, Mapping[str, Interval]]
    widened: int
    alarms_left_out: int

    @property
    def false_alarms(self) -> float:
        """The share of runs without a fault that may fail.

        Each of alike worlds is as likely as any other to be the farthest out: beyond an interval
        that was widened to hold N worlds lies at most one of N + 1, whatever the distribution.
        """
        return intervals.FALSE_ALARMS + self.widened / (self.evidence.worlds + 1)

    @property
    def count(self) -> int:
        """How many checks a run makes."""
        return sum(map(len, self.intervals.values()))

    @property
    def uncheckable(self) -> list[str]:
        """The checks whose interval is too wide to say anything about one world."""
        return [
            f"{claim} {name} ({interval.low:.3g} to {interval.high:.3g})"
            for claim, named in self.intervals.items()
            for name, interval in named.items()
            if not interval.checkable
        ]

    def described(self, claim_id: str) -> dict[str, str]:
        """Say for each figure of a claim what one world may show, and which change is seen."""
        found = {}
        for name, interval in self.intervals.get(claim_id, {}).items():
            down, up = interval.smallest_change
            sees = f"sees a fall of {down:.2g}, a rise of {up:.2g}"
            found[f"one world's {name}"] = f"{interval.low:.4g} to {interval.high:.4g}: " + (
                sees if interval.checkable else "not checkable on one world"
            )
        return found

    def expected(self, claim_id: str) -> bool | None:
        """Return whether the claim must hold in one world, or must not; None: it may do either."""
        interval = self.intervals.get(claim_id, {}).get(MARGIN)
        if interval is None or not load_claims()[claim_id].judged:
            return None
        return True if interval.low > 0 else False if interval.high <= 0 else None

    def refuted(self, claim_id: str) -> bool:
        """Return whether the evidence refutes the claim, in this one world too.

        No verdict but `refuted` goes with an interval that lies wholly below 0.
        """
        return self.expected(claim_id) is False

    def problems(self, outcome: Outcome) -> list[str]:
        """Return a line for each value of one world that the evidence does not allow."""
        named = self.intervals.get(outcome.id, {})
        found = [
            self._said(outcome.id, name, value, named[name])
            for name, value in values_of(outcome).items()
            if name in named and named[name].checkable and value not in named[name]
        ]
        expected, margin = self.expected(outcome.id), outcome.margin
        if not found and margin is not None and expected not in {None, margin > 0}:
            # only where the interval is too wide to check the value, but not the sign
            found.append(self._said(outcome.id, MARGIN, margin, named[MARGIN]))
        return found

    def _said(self, claim_id: str, name: str, value: float, interval: Interval) -> str:
        away = value - interval.centre
        which = direction(name, away)
        if which == NEUTRAL:
            which = "higher" if away > 0 else "lower"
        return (
            f"{claim_id}: {name} {value:.4g}, evidence of {self.evidence.worlds} worlds: "
            f"{interval.low:.4g} to {interval.high:.4g} "
            f"({which} by {abs(away):.2g} than their typical {interval.centre:.4g})"
        )


def headline(outcome: Outcome, word: str, evidence: Evidence) -> str:
    """Say in one line by how much a claim holds or fails here, and by how much in the evidence.

    `word` is the word whose bound decides.
    """
    measured = evidence.claims.get(outcome.id)
    worlds = measured.margins.get(MARGIN, ()) if measured else ()
    known = ""
    if len(worlds) > 1:
        mean, sd = intervals.mean_and_deviation(worlds)
        known = f" (evidence, {len(worlds)} worlds: {_signed(mean)} ± {sd:.2g})"
    figures = ", ".join(f"{name} {value:.3g}" for name, value in outcome.figures.items())
    return (
        f"{outcome.id}: margin {_signed(outcome.margin or 0)}: {figures}; {word} means "
        f"{MEANINGS[word]}{known}"
    )


def direction(name: str, difference: float) -> str:
    """Return whether a figure that moves by `difference` becomes `better` or `worse`.

    `neutral` for a margin, which says how true a sentence is and not how good a network is, for
    the shape of an input, and where nothing moves.
    """
    if name in _NEITHER or not difference:
        return NEUTRAL
    higher_is_worse = bool(_WORSE_IF_HIGHER & set(name.split("_")))
    return WORSE if (difference > 0) == higher_is_worse else BETTER


def checks_of(evidence: Evidence | None) -> Checks | None:
    """Return what one world is checked against; None with too few worlds for a verdict.

    An interval that would leave out one of the evidence's own worlds, made from all the others, is
    as much wider as that world asks: its figure has longer tails than Student's t allows for.
    """
    if evidence is None or evidence.worlds < statistics.ENOUGH:
        return None
    columns = _columns(evidence)
    alpha = intervals.FALSE_ALARMS / len(columns)
    found: dict[str, dict[str, Interval]] = {}
    widened, alarms = 0, np.zeros(evidence.worlds, bool)
    for (claim, name), (values, scale) in columns.items():
        distances = intervals.left_out_distances(values, scale, alpha)
        stretch = max(1.0, float(distances.max()))
        named = found.setdefault(claim, {})
        named[name] = intervals.prediction_interval(values, scale, alpha, stretch)
        widened += named[name].checkable and stretch > 1
        alarms |= distances > 1
    return Checks(
        evidence=evidence,
        intervals=MappingProxyType(found),
        widened=widened,
        alarms_left_out=int(alarms.sum()),
    )


def changed_since(evidence: Evidence) -> list[str]:
    """Return which recipes and views have other code than when the evidence was made."""
    now, then = code_digests(), evidence.head.code
    return sorted(name for name in {*now, *then} if now.get(name) != then.get(name))


def predates(changed: Iterable[str], evidence: Evidence) -> str:
    """Say that the evidence is older than some code, and how to make it anew."""
    return (
        f"the evidence predates a change of {', '.join(changed)}; "
        f"to accept it, make new evidence: {evidence.head.command}"
    )


def scale_of(name: str, measured: Measured, images: int) -> Scale:
    """Return the scale of one of a claim's figures, or of its margin, by what worlds measured."""
    if name == MARGIN:
        return _margin_scale(measured, images)
    if "loss" in name.split("_"):
        return Scale(kind="loss", images=images)
    share = all(0 <= value <= 1 for value in measured.figures[name])
    return Scale(kind="share" if share else MARGIN, images=images)


def _margin_scale(measured: Measured, images: int) -> Scale:
    """Return the scale of a share whose distance to a bound the margin is; else the plain one."""
    margins = np.asarray(measured.margins[MARGIN])
    for name, values in measured.figures.items():
        if scale_of(name, measured, images).kind != "share":
            continue
        for sign in (1, -1):
            origins = margins - sign * np.asarray(values)
            if np.ptp(origins) < 2 * ROUNDING + 1e-9:
                return Scale(kind="share", images=images, origin=float(origins.mean()), sign=sign)
    return Scale(kind=MARGIN, images=images)


def values_of(outcome: Outcome) -> dict[str, float]:
    """Return the figures of one world by name, and the margin where there is one."""
    values = dict(outcome.figures)
    return values if outcome.margin is None else {**values, MARGIN: outcome.margin}


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−")


def _columns(evidence: Evidence) -> dict[tuple[str, str], tuple[tuple[float, ...], Scale]]:
    columns = {}
    for claim, measured in evidence.claims.items():
        margins = {name: each for name, each in measured.margins.items() if name == MARGIN}
        for name, values in {**measured.figures, **margins}.items():
            columns[claim, name] = values, scale_of(name, measured, evidence.head.images)
    return columns
