"""The ledger of a run: the document's claims, what the run measured, and what the evidence says.

It is made once for each run. The terminal, the page, Markdown and notebooks all show it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.errors import UsageError, inert
from mnistrobust.evidence import Evidence
from mnistrobust.evidence.results import ERROR, FAILS, HOLDS, Outcome, Results
from mnistrobust.judging.row import VERDICTS, Row
from mnistrobust.judging.statistics import (
    INCONCLUSIVE,
    NOT_REPRODUCED,
    PROVISIONAL,
    REFUTED,
    REPRODUCED,
    SEED_DEPENDENT,
    live_rule,
    unconfirmed,
)
from mnistrobust.judging.verdicts import FULL
from mnistrobust.registry import claim_named, load_claims

if TYPE_CHECKING:
    from mnistrobust.judging.regression import Checks
    from mnistrobust.judging.shifts import Shifts


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The ledger of a run, or of the evidence alone: a row for each claim, in the document's order."""

    rows: tuple[Row, ...]
    results: Results | None = None
    evidence: Evidence | None = None
    checks: "Checks | None" = None  # of one fresh seed
    shifts: "Shifts | None" = None  # of several

    def __getitem__(self, claim_id: str) -> Row:
        """Return a claim's row; raise UsageError, of an unknown claim with the nearest id."""
        wanted = claim_named(claim_id)
        if found := [row for row in self.rows if row.claim is wanted]:
            return found[0]
        raise UsageError(f"This ledger has no claim '{wanted.id}': ask for one of all claims.")

    @property
    def run(self) -> Results:
        """The run's results; raises UsageError for a ledger of the evidence alone."""
        if self.results is None:
            raise UsageError("Expected the ledger of a run: make it from results.")
        return self.results

    @property
    def listed(self) -> tuple[Row, ...]:
        """The rows of claims that ran; all rows if there was no run."""
        return tuple(row for row in self.rows if row.outcomes or self.results is None)

    @property
    def judged(self) -> tuple[Row, ...]:
        """The listed rows of claims that get a verdict."""
        return tuple(row for row in self.listed if row.claim.judged)

    @property
    def by_verdict(self) -> dict[str, list[Row]]:
        """The listed rows by verdict, wrong claims first."""
        groups = {word: [row for row in self.listed if row.word == word] for word in VERDICTS}
        return {word: rows for word, rows in groups.items() if rows}

    @property
    def rehearsal(self) -> bool:
        """Whether the run is on another data set than full MNIST, which alone judges the document."""
        return self.results is not None and self.results.source.name != FULL

    @property
    def as_expected(self) -> bool:
        """Whether the evidence, or its verdicts, say something of the run, and nothing else."""
        fresh = (row.word for row in self.judged if row.live)
        told = self.checks is not None or not {REPRODUCED, REFUTED}.isdisjoint(fresh)
        return told and not self.unexpected

    @property
    def wrong(self) -> dict[str, list[Row]]:
        """The rows of wrong claims, by what is wrong with them; what this run says comes first.

        A claim that the evidence does not call wrong counts as wrong if it does not hold in this run.
        """
        wrong = (REFUTED, SEED_DEPENDENT)
        fails = [row for row in self.listed if any(each.word == FAILS for each in row.outcomes)]
        groups = {
            ERROR: [row for row in self.listed if row.here == ERROR],
            FAILS: [row for row in fails if row.word not in wrong],
            **{word: self.by_verdict.get(word, []) for word in wrong},
        }
        return {word: rows for word, rows in groups.items() if rows}

    @property
    def unexpected(self) -> dict[str, str]:
        """Why the run is not as expected, by claim id."""
        return {row.claim.id: row.unexpected for row in self.listed if row.unexpected}

    @property
    def counts(self) -> str:
        """How many judged claims have each verdict, and from how many seeds."""
        words = [row.word for row in self.judged]
        if self.evidence is None or {*words} <= {PROVISIONAL}:
            return f"{PROVISIONAL}: too few seeds for a verdict"
        return f"over {self.evidence.replicates} seeds: {_counted(words)}"

    @property
    def headline(self) -> str:
        """How many judged claims hold in the run; without a run, how many there are."""
        if self.results is None:
            return f"{len(self.judged)} judged claims; {self.counts}"
        held = sum(row.here == HOLDS for row in self.judged)
        seeds = ", ".join(map(str, self.results.seeds))
        if len(self.results.seeds) > 2:
            seeds = f"{min(self.results.seeds)} to {max(self.results.seeds)}"
        where = f"{self.results.source.name}, seed {seeds}"
        return f"{held} of {len(self.judged)} judged claims hold on {where}"

    def notes(self) -> Iterator[str]:
        """Yield notes on the run: replaced networks, the rule, the checks, and any newer code."""
        models = self.results.models if self.results else {}
        for family, place in models.items():
            yield f"in place of {family}: {inert(place)}; verdicts are of the document's networks"
        outcomes = self.results.outcomes if self.results else ()
        for what, ids in (
            ("tried again after a failure", [each.id for each in outcomes if each.reruns]),
            ("ran more than once", [each.id for each in outcomes if each.runs > 1 + each.reruns]),
        ):
            if ids:
                yield f"NOTE: specs that a pytest plugin {what}: {len(ids)}, such as {ids[0]}"
        if self.results and (known := _known(self.results, self.evidence)):
            which = f"seed {known[0]} is" if len(known) == 1 else f"{len(known)} seeds are"
            yield f"NOTE: {which} the evidence's own, and cannot confirm it: name others with --seeds"
        live = [row for row in self.judged if row.live]
        if live and self.results:
            rule = live_rule(len(self.results.seeds))
            yield f"live on {rule.replicates} fresh seeds: {_counted([str(row.live) for row in live])}"
            yield f"{rule}"
            confirming = [each for row in live if (each := row.confirming)]
            if confirming and rule.wins <= rule.replicates:
                missed = unconfirmed(np.array(confirming), rule)
                yield (
                    f"{missed:.0%} of runs on {rule.replicates} seeds without a change fail: they "
                    f"confirm less than the evidence says"
                )
        checks, shifts = self.checks, self.shifts
        if self.results is None or self.evidence is None or not (checks or shifts):
            return
        from mnistrobust.judging.regression import changed_since, predates
        from mnistrobust.judging.sensitivity import moved

        yield str(shifts or checks)
        if checks and checks.uncheckable:
            name = self.evidence.head.dataset
            where = "" if name == FULL else f" --data {name}"
            yield (
                f"{len(checks.uncheckable)} of them are not checkable on one seed: "
                f"'mnistrobust evidence{where}'"
            )
        if changed := changed_since(self.evidence):
            yield f"NOTE: {predates(changed, self.evidence)}"
            yield from moved(checks, self.results.outcomes, changed) if checks else ()

    def table(self) -> list[dict[str, str]]:
        """Return the ledger as text: for each claim, a text for each column."""
        ran = self.results is not None
        return [
            {
                "claim": row.claim.id,
                "kind": row.claim.kind,
                "statement": row.claim.statement,
                "document": row.said,
                **({"measured": row.measured, "outcome": row.outcome} if ran else {}),
                "verdict": "; ".join(filter(None, (*row.judged, row.truth))),
            }
            for row in self.rows
        ]


def ledger_of(
    results: Results | None = None, evidence: Evidence | None = None, *, only: str | None = None
) -> Ledger:
    """Return the ledger of a run, or of the evidence alone; `only` names a claim or a family."""
    named = [each for each in load_claims().values() if only in {None, each.family}]
    claims = named or [claim_named(str(only))]
    outcomes = sorted(results.outcomes, key=lambda outcome: outcome.seed) if results else []
    by_id: dict[str, tuple[Outcome, ...]] = {}
    for outcome in outcomes:
        claim_id = claim_named(outcome.id).id
        by_id[claim_id] = (*by_id.get(claim_id, ()), outcome)
    dataset = results.source.name if results else evidence.head.dataset if evidence else FULL
    checks = _checks(results, evidence) if results and evidence else None
    shifted = None
    if results and evidence and len(results.seeds) > 1:
        from mnistrobust.judging.shifts import shifts  # late: it imports pandas

        shifted = shifts(results, evidence)
    by_claim = shifted.by_claim if shifted else {}
    rows = tuple(
        Row(
            claim=claim,
            outcomes=by_id.get(claim.id, ()),
            evidence=evidence,
            dataset=dataset,
            fresh=not (results and _known(results, evidence)),
            outside=_outside(by_id.get(claim.id, ()), checks) if checks else "",
            shifted=tuple(by_claim.get(claim.id, ())),
        )
        for claim in claims
    )
    return Ledger(rows=rows, results=results, evidence=evidence, checks=checks, shifts=shifted)


def _known(results: Results, evidence: Evidence | None) -> list[int]:
    """Return the seeds of a run that are also the evidence's, on the same data set."""
    if evidence is None or results.source.digest != evidence.head.digest:
        return []
    return sorted({*results.seeds} & {*evidence.seeds})


def _checks(results: Results, evidence: Evidence) -> "Checks | None":
    """Return the intervals that a run's one fresh seed is checked against; None if there are none.

    They are of the claims that were measured on the document's networks. There are none for several seeds, which
    are judged together; for a seed of the evidence itself; for another data set; and if the evidence has
    too few seeds for a verdict.
    """
    from mnistrobust.judging.regression import checks_of, values_of  # late: it imports pandas

    other = results.source.digest != evidence.head.digest
    if other or len(results.seeds) > 1 or _known(results, evidence):
        return None
    checks = checks_of(evidence)
    ran = {each.id for each in results.outcomes if values_of(each) and not each.models}
    named = (
        {claim: each for claim, each in checks.intervals.items() if claim in ran} if checks else {}
    )
    return replace(checks, intervals=named) if checks and named else None


def _outside(outcomes: Iterable[Outcome], checks: "Checks") -> str:
    """Return what the evidence does not allow, where the run itself was not made with it."""
    for outcome in outcomes:
        if problems := checks.problems(outcome):
            return problems[0].removeprefix(f"{outcome.id}: ")
    return ""


def _counted(words: list[str]) -> str:
    order = (REPRODUCED, REFUTED, NOT_REPRODUCED, SEED_DEPENDENT, INCONCLUSIVE, PROVISIONAL)
    return ", ".join(f"{words.count(word)} {word}" for word in order if word in words)
