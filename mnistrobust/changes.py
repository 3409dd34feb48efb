"""What changed from one run to another: figures, claims, and single test images.

A figure's change is measured in standard deviations of the evidence's worlds. It is beyond them
where two worlds of the same recipes differ by as much in fewer than 1 % of comparisons, split
equally over all figures and margins. Without evidence only McNemar's test says what became worse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mnistrobust import intervals, statistics
from mnistrobust.checking import BETTER, MARGIN, WORSE, direction, scale_of, values_of
from mnistrobust.evidence import Evidence
from mnistrobust.flips import Flips, adjusted, flips
from mnistrobust.ledger import ERROR, FAILS, Outcome
from mnistrobust.runs import Run

SUSPICIOUS = "suspiciously better"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure, or the margin, of one claim in two runs.

    `direction` is `better`, `worse` or `neutral`; `deviations` the change in standard deviations
    of the evidence, and `beyond` whether it is more than its worlds differ by. Without evidence
    these are None and False.
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
        """How much it rose; below 0 where it fell."""
        return self.after - self.before

    @property
    def word(self) -> str:
        """The direction, with what is too good to be true named so."""
        return SUSPICIOUS if self.beyond and self.direction == BETTER else self.direction


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A claim whose outcome is another than before; `error` says why it could not be computed."""

    claim: str
    before: str
    after: str
    beyond: bool = False
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed since a baseline.

    `figures` are those that moved, of `compared`; `flips` the recipes and views with other
    answers, adjusted for `tests` tests; `code` the recipes and views whose code changed;
    `versions` pairs of before and after; `unmatched` what only one of the runs has. `worlds` is
    the number of the evidence's worlds, and `bound` how many of their standard deviations are
    beyond it; None without evidence.
    """

    baseline: str
    made: str
    dataset: str
    worlds: int | None
    bound: float | None
    compared: int
    tests: int
    code: tuple[str, ...]
    versions: Mapping[str, tuple[str | None, str | None]]
    turns: tuple[Turn, ...]
    figures: tuple[Change, ...]
    flips: tuple[Flips, ...]
    unmatched: tuple[str, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """A line for each thing that became worse beyond what chance explains."""
        return tuple(self._worse())

    @property
    def suspicious(self) -> tuple[Change, ...]:
        """The figures that became better beyond what the evidence's worlds differ by."""
        return tuple(each for each in self.figures if each.word == SUSPICIOUS)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, with `worse` and `suspicious`."""
        figures = [
            {**asdict(each), "difference": each.difference, "word": each.word}
            for each in self.figures
        ]
        flipped = [
            {**asdict(each), "direction": each.direction, "significant": each.significant}
            for each in self.flips
        ]
        said = {
            "worse": list(self.worse),
            "suspicious": [f"{each.claim} {each.name}" for each in self.suspicious],
        }
        return {**asdict(self), "figures": figures, "flips": flipped, **said}

    def _worse(self) -> Iterator[str]:
        for turn in self.turns:
            if turn.after == ERROR:
                yield f"{turn.claim} failed: {turn.error}"
            elif turn.beyond and turn.after == FAILS:
                yield f"{turn.claim} does not hold any more"
        for each in self.figures:
            if each.beyond and each.direction == WORSE:
                yield (
                    f"{each.claim} {each.name} {each.before:.4g} → {each.after:.4g}, "
                    f"{abs(each.deviations or 0):.1f} standard deviations of {self.worlds} worlds"
                )
        for flip in self.flips if self.worlds is None else ():
            if flip.significant and flip.direction == WORSE:
                yield (
                    f"{flip.recipe} on {flip.view} lost {len(flip.lost)} images and gained "
                    f"{len(flip.gained)} (p {flip.adjusted:.1g})"
                )


def compare(before: Run, after: Run, *, name: str, evidence: Evidence | None = None) -> Changes:
    """Return what changed from the baseline of that name to another run on the same data.

    Evidence of other data, or of fewer than 20 worlds, counts as none.
    """
    known = evidence
    if known and (known.worlds < statistics.ENOUGH or known.head.digest != after.source.digest):
        known = None
    then, now = _outcomes(before), _outcomes(after)
    pairs = [(then[claim], now[claim]) for claim in now if claim in then]
    compared = sum(len(list(_both(*pair))) for pair in pairs)
    bound = None
    if known:
        alpha = intervals.FALSE_ALARMS / max(1, compared)
        bound = intervals.difference_bound(known.worlds, alpha)
    found = [each for pair in pairs for each in _moved(*pair, known, bound)]
    tested = _flips(before, after)
    return Changes(
        baseline=name,
        made=before.made,
        dataset=after.source.name,
        worlds=known.worlds if known else None,
        bound=bound,
        compared=compared,
        tests=sum(each.p is not None for each in tested),
        code=tuple(sorted(_different(before.code, after.code))),
        versions={
            package: (before.versions.get(package), after.versions.get(package))
            for package in sorted(_different(before.versions, after.versions))
        },
        turns=tuple(turn for pair in pairs for turn in _turned(*pair, found)),
        figures=tuple(sorted(found, key=_order)),
        flips=tuple(each for each in tested if each.changed),
        unmatched=_unmatched(before, after),
    )


def _outcomes(run: Run) -> dict[str, Outcome]:
    ordered = sorted(run.results.outcomes, key=lambda each: each.id)
    return {outcome.id: outcome for outcome in ordered}


def _both(one: Outcome, other: Outcome) -> Iterator[tuple[str, float, float]]:
    """Yield the figures that both outcomes have."""
    before, after = values_of(one), values_of(other)
    yield from ((name, before[name], after[name]) for name in after if name in before)


def _moved(
    one: Outcome, other: Outcome, evidence: Evidence | None, bound: float | None
) -> Iterator[Change]:
    measured = evidence.claims.get(one.id) if evidence else None
    columns = {**measured.figures, **measured.margins} if measured else {}
    for name, before, after in _both(one, other):
        if before == after:
            continue
        change = Change(
            claim=one.id,
            name=name,
            before=before,
            after=after,
            direction=direction(name, after - before),
        )
        if evidence and measured and bound and name in columns:
            scale = scale_of(name, measured, evidence.head.images)
            away = intervals.deviations(before, after, columns[name], scale)
            change = replace(change, deviations=away, beyond=abs(away) > bound)
        yield change


def _turned(one: Outcome, other: Outcome, moved: list[Change]) -> Iterator[Turn]:
    before, after = _word(one), _word(other)
    if before != after:
        beyond = any(each.beyond for each in moved if (each.claim, each.name) == (one.id, MARGIN))
        error = other.error if after == ERROR else None
        yield Turn(claim=one.id, before=before, after=after, beyond=beyond, error=error)


def _word(outcome: Outcome) -> str:
    """Return the outcome by its margin also where the evidence does not allow it."""
    return replace(outcome, error=None).word if outcome.figures else outcome.word


def _flips(before: Run, after: Run) -> tuple[Flips, ...]:
    found = []
    for (recipe, view), answers in after.answers.items():
        labels, then = after.labels[recipe, view], before.answers.get((recipe, view))
        if then is None or not _same(before.labels[recipe, view], labels):
            continue
        classes = min(before.classes[recipe], after.classes[recipe])
        found.append(flips(recipe, view, then, answers, labels, classes))
    return adjusted(found)


def _unmatched(before: Run, after: Run) -> tuple[str, ...]:
    """Name claims and readings that one run lacks, or that are of other images."""
    claims = _outcomes(before).keys() ^ _outcomes(after).keys()
    places = before.answers.keys() ^ after.answers.keys()
    for place in before.answers.keys() & after.answers.keys():
        if not _same(before.labels[place], after.labels[place]):
            places.add(place)
    return (*sorted(claims), *sorted(f"{recipe} on {view}" for recipe, view in places))


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all())


def _different(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def _order(change: Change) -> tuple[bool, bool, float]:
    """Sort by what matters: beyond the evidence, worse, then the size of the change."""
    size = change.difference if change.deviations is None else change.deviations
    return not change.beyond, change.direction != WORSE, -abs(size)
