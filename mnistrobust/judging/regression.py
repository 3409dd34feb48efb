"""Check one replicate against the evidence of many: a regression check of figures and margins.

Each figure and each margin has a prediction interval for one more replicate. All reach equally far, in
standard deviations of the replicates: just so far that no replicate fails against all the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mnistrobust.evidence import Evidence, Measured
from mnistrobust.evidence.results import Outcome
from mnistrobust.judging import intervals, statistics
from mnistrobust.judging.intervals import ROUNDING, Interval, Scale
from mnistrobust.registry import Claim, load_claims
from mnistrobust.replicates.keys import code_digests
from mnistrobust.words import PLAIN, SHARE, Word

MARGIN = "margin"
_NAMED = 3  # changed pieces of code
BETTER, WORSE, NEUTRAL = "better", "worse", "neutral"


class NotAboveZeroError(AssertionError):
    """The margin of a claim is not above 0: the only failure that a refuted claim may have."""


@dataclass(frozen=True)
class Checks:
    """The intervals that one replicate is checked against, by claim and by the figure's name.

    They reach `reach` standard deviations to both sides of the replicates' mean.
    """

    evidence: Evidence
    intervals: Mapping[str, Mapping[str, Interval]]
    reach: float

    def __str__(self) -> str:
        """Return what is checked, and at which error rate."""
        return (
            f"checked against {self.evidence.replicates} other seeds: {self.count} figures and "
            f"margins, {self.false_alarms:.0%} false alarms"
        )

    @property
    def false_alarms(self) -> float:
        """The share of runs without a fault that fail, 1 / (N + 1): see `farthest_reach`."""
        return 1 / (self.evidence.replicates + 1)

    @property
    def count(self) -> int:
        """How many checks a run makes."""
        return sum(map(len, self.intervals.values()))

    @property
    def uncheckable(self) -> list[str]:
        """The checks whose interval is too wide to say anything about one replicate."""
        return [
            f"{claim} {name} ({interval.low:.3g} to {interval.high:.3g})"
            for claim, named in self.intervals.items()
            for name, interval in named.items()
            if not interval.checkable
        ]

    def described(self, claim_id: str) -> dict[str, str]:
        """Return for each figure of a claim its interval, and the smallest change detected."""
        phrases = {}
        for name, interval in self.intervals.get(claim_id, {}).items():
            fall, rise = interval.smallest_change
            sees = f"sees a fall of {fall:.2g}, a rise of {rise:.2g}"
            sees = sees if interval.checkable else "not checkable on one seed"
            phrases[f"{name} for one seed"] = f"{interval.low:.4g} to {interval.high:.4g}: {sees}"
        return phrases

    def must_fail(self, claim_id: str) -> bool:
        """Return whether a claim has to fail in one replicate: no verdict but `refuted` goes with that."""
        interval = self.intervals.get(claim_id, {}).get(MARGIN)
        return interval is not None and interval.scale.signed and interval.high <= 0

    def problems(self, outcome: Outcome) -> list[str]:
        """Return a line for each value of one replicate that lies outside its interval."""
        named = self.intervals.get(outcome.id, {})
        return [
            self._problem(outcome.id, name, value, named[name])
            for name, value in values_of(outcome).items()
            if name in named and named[name].checkable and value not in named[name]
        ]

    def _problem(self, claim_id: str, name: str, value: float, interval: Interval) -> str:
        away = value - interval.centre
        which = direction(load_claims()[claim_id], name, away)
        which = which if which != NEUTRAL else "higher" if away > 0 else "lower"
        return (
            f"{claim_id}: {name} {value:.4g}, evidence of {self.evidence.replicates} seeds: "
            f"{interval.low:.4g} to {interval.high:.4g} "
            f"({which} by {abs(away):.2g} than the typical {interval.centre:.4g})"
        )


def headline(outcome: Outcome, word: Word, evidence: Evidence) -> str:
    """Return one line: by how much a claim holds or fails here, and by how much in the evidence.

    `word` is the word whose bound decides the margin.
    """
    measured = evidence.claims.get(outcome.id)
    replicates = measured.margins.get(MARGIN, ()) if measured else ()
    known = ""
    if len(replicates) > 1:
        mean, sd = intervals.mean_and_deviation(replicates)
        known = f" (evidence, {len(replicates)} seeds: {_signed(mean)} ± {sd:.2g})"
    figures = ", ".join(f"{name} {value:.3g}" for name, value in outcome.figures.items())
    margin = f"margin {_signed(outcome.margin or 0)}"
    return f"{outcome.id}: {margin}: {figures}; {word.name} means {word.meaning}{known}"


def direction(claim: Claim, name: str, difference: float) -> str:
    """Return whether a change of a claim's figure by `difference` is `better` or `worse`.

    It is `neutral` for a margin, which measures a claim and not a network, a count, and no change.
    """
    gain = 0.0 if name == MARGIN else claim.quantity(name).better * difference
    return BETTER if gain > 0 else WORSE if gain < 0 else NEUTRAL


def checks_of(evidence: Evidence | None) -> Checks | None:
    """Return the intervals for one replicate; None if there are too few replicates for a verdict."""
    if evidence is None or evidence.replicates < statistics.ENOUGH:
        return None
    columns = columns_of(evidence)
    reach = intervals.farthest_reach(columns.values())
    by_claim: dict[str, dict[str, Interval]] = {}
    for (claim, name), (values, scale) in columns.items():
        interval = intervals.prediction_interval(values, scale, reach)
        by_claim.setdefault(claim, {})[name] = interval
    return Checks(evidence, by_claim, reach)


def columns_of(evidence: Evidence) -> dict[tuple[str, str], tuple[tuple[float, ...], Scale]]:
    """Return each figure and margin of the evidence, by claim and name: its values, and their scale."""
    return {
        (claim, name): (
            values,
            scale_of(load_claims()[claim], name, measured, evidence.head.images),
        )
        for claim, measured in evidence.claims.items()
        for name, values in {**measured.figures, MARGIN: measured.margins.get(MARGIN)}.items()
        if values is not None
    }


def changed_since(evidence: Evidence) -> list[str]:
    """Return the recipes, conditions and claims whose code changed since the evidence was made.

    What was added since is none of them: the evidence says nothing about it.
    """
    known = evidence.head.code
    return different({name: each for name, each in code_digests().items() if name in known}, known)


def different(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names under which two mappings differ, sorted."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def predates(changed: Iterable[str], evidence: Evidence) -> str:
    """Say that the evidence is older than some code, and how to make new evidence."""
    names = [*changed]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"the evidence predates a change of {', '.join(names[:_NAMED])}{more}; "
        f"to accept it, make new evidence: {evidence.head.command}"
    )


def scale_of(claim: Claim, name: str, measured: Measured, images: int) -> Scale:
    """Return the scale of one of a claim's figures, or of its margin.

    A margin has the scale of its words. If these differ, it has the scale of the word whose bound
    decides in every replicate, and the plain scale if there is no such word.
    """
    if name != MARGIN:
        return Scale(kind=claim.quantity(name).scale, images=images)
    plain = Scale(kind=PLAIN, images=images, signed=claim.judged)
    scales = {
        replace(plain, kind=SHARE, origin=-word.side * word.bound, sign=word.side)
        if word.scale == SHARE
        else plain: None
        for word in claim.words
    }
    deciding = (scale for scale in scales if _decides(scale, claim, measured))
    return next(iter(scales)) if len(scales) == 1 else next(deciding, plain)


def _decides(scale: Scale, claim: Claim, measured: Measured) -> bool:
    """Return whether, in every replicate, the margin is the distance of one share from the bound."""
    margins = np.asarray(measured.margins[MARGIN])
    return scale.kind == SHARE and any(
        np.allclose(margins - scale.sign * np.asarray(values), scale.origin, 0, 2 * ROUNDING)
        for name, values in measured.figures.items()
        if claim.quantity(name).scale == SHARE
    )


def values_of(outcome: Outcome) -> dict[str, float]:
    """Return the figures of one replicate by name, with the margin if there is one."""
    margin = {} if outcome.margin is None else {MARGIN: outcome.margin}
    return {**outcome.figures, **margin}


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−")
