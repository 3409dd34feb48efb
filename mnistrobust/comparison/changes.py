"""What changed from one run to another: figures and claims.

A figure's change is measured in standard deviations over the evidence's replicates. It is *beyond*
them if two replicates differ by as much, in any figure or margin, in fewer than 1% of comparisons.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mnistrobust.comparison.runs import Run
from mnistrobust.evidence import Evidence
from mnistrobust.evidence.results import ERROR, FAILS, Outcome
from mnistrobust.judging import intervals, regression, statistics
from mnistrobust.judging.regression import BETTER, MARGIN, WORSE, direction
from mnistrobust.registry import claim_named

SUSPICIOUS = "suspiciously better"


@dataclass(frozen=True)
class Change:
    """A figure, or the margin, of one claim in two runs.

    `deviations` is the change in standard deviations over the evidence's replicates, `beyond` whether two
    replicates seldom differ by as much; without evidence None and False.
    """

    claim: str
    name: str
    before: float
    after: float
    direction: str
    deviations: float | None = None
    beyond: bool = False

    @property
    def difference(self) -> float:
        """How much the figure rose; below 0 if it fell."""
        return self.after - self.before

    @property
    def word(self) -> str:
        """The direction; an improvement beyond the evidence is `suspiciously better`."""
        return SUSPICIOUS if self.beyond and self.direction == BETTER else self.direction


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A claim whose outcome changed; `error` says why the outcome could not be computed."""

    claim: str
    before: str
    after: str
    beyond: bool = False
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed since a baseline.

    `figures` are those that moved, of `compared`. `unmatched` are claims that only one run has. Two `replicates`
    differ by less than `bound` standard deviations; without evidence, both are None.
    """

    baseline: str
    made: str
    dataset: str
    replicates: int | None
    bound: float | None
    compared: int
    code: tuple[str, ...]
    versions: Mapping[str, tuple[str | None, str | None]]
    turns: tuple[Turn, ...]
    figures: tuple[Change, ...]
    unmatched: tuple[str, ...]

    @property
    def suspicious(self) -> tuple[Change, ...]:
        """The figures that improved by more than the evidence's replicates differ by."""
        return tuple(change for change in self.figures if change.word == SUSPICIOUS)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, with `worse` and `suspicious`."""
        fields = asdict(self)
        for line, change in zip(fields["figures"], self.figures, strict=True):
            line |= {"difference": change.difference, "word": change.word}
        suspicious = [f"{change.claim} {change.name}" for change in self.suspicious]
        return {**fields, "worse": list(self.worse), "suspicious": suspicious}

    @property
    def worse(self) -> tuple[str, ...]:
        """A line for each thing that became worse beyond what chance explains."""
        return tuple(self._worse())

    def _worse(self) -> Iterator[str]:
        for turn in self.turns:
            if turn.after == ERROR:
                yield f"{turn.claim} failed: {turn.error}"
            elif turn.beyond and turn.after == FAILS:
                yield f"{turn.claim} does not hold any more"
        for change in self.figures:
            if change.beyond and change.direction == WORSE:
                away = f"{abs(change.deviations or 0):.1f} standard deviations"
                moved = f"{change.before:.4g} → {change.after:.4g}"
                yield f"{change.claim} {change.name} {moved}, {away} of {self.replicates} seeds"


def compare(before: Run, after: Run, *, name: str, evidence: Evidence | None = None) -> Changes:
    """Return what changed between two runs on the same data.

    Evidence of other data, or of fewer than 20 seeds, is not used.
    """
    old, new = before.results, after.results
    if evidence and (
        evidence.head.digest != new.source.digest or evidence.replicates < statistics.ENOUGH
    ):
        evidence = None
    outcomes = _outcomes(before)
    pairs = [(outcomes[claim], now) for claim, now in _outcomes(after).items() if claim in outcomes]
    values = [tuple(map(regression.values_of, pair)) for pair in pairs]
    compared = sum(len(then.keys() & now.keys()) for then, now in values)
    alpha = intervals.FALSE_ALARMS / max(1, compared)
    bound = intervals.difference_bound(evidence.replicates, alpha) if evidence else None
    figures = [change for pair in pairs for change in _moved(*pair, evidence, bound)]
    far = {change.claim for change in figures if change.beyond and change.name == MARGIN}
    turns = [_turned(*pair, far) for pair in pairs]
    return Changes(
        baseline=name,
        made=before.made,
        dataset=new.source.name,
        replicates=evidence.replicates if evidence else None,
        bound=bound,
        compared=compared,
        code=tuple(regression.different(before.code, after.code)),
        versions={
            package: (old.versions.get(package), new.versions.get(package))
            for package in regression.different(old.versions, new.versions)
        },
        turns=tuple(turn for turn in turns if turn.before != turn.after),
        figures=tuple(sorted(figures, key=_order)),
        unmatched=tuple(sorted(outcomes.keys() ^ _outcomes(after).keys())),
    )


def _outcomes(run: Run) -> dict[str, Outcome]:
    return {outcome.id: outcome for outcome in sorted(run.results.outcomes, key=lambda o: o.id)}


def _moved(
    one: Outcome, other: Outcome, evidence: Evidence | None, bound: float | None
) -> Iterator[Change]:
    measured = evidence.claims.get(one.id) if evidence else None
    columns = {**measured.figures, **measured.margins} if measured else {}
    claim, values = claim_named(one.id), regression.values_of(one)
    for name, after in regression.values_of(other).items():
        before = values.get(name, after)
        if before == after:
            continue
        away, which = None, direction(claim, name, after - before)
        if evidence and measured and name in columns:
            scale = regression.scale_of(claim, name, measured, evidence.head.images)
            away = intervals.deviations(before, after, columns[name], scale)
        beyond = away is not None and bound is not None and abs(away) > bound
        yield Change(one.id, name, before, after, which, deviations=away, beyond=beyond)


def _turned(one: Outcome, other: Outcome, far: set[str]) -> Turn:
    before, after = _word(one), _word(other)
    error = other.error if after == ERROR else None
    return Turn(claim=one.id, before=before, after=after, beyond=one.id in far, error=error)


def _word(outcome: Outcome) -> str:
    """Return the outcome by the margin, even if it lies outside the evidence's interval."""
    return replace(outcome, error=None).word if outcome.figures else outcome.word


def _order(change: Change) -> tuple[bool, bool, float]:
    """Sort changes: first those beyond the evidence, then worse ones, then by size."""
    size = change.difference if change.deviations is None else change.deviations
    return not change.beyond, change.direction != WORSE, -abs(size)
