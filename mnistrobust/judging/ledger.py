"""The ledger of a run: the document's claims, what the run measured, and what the evidence says.

It is made once for each run. The terminal, the page, Markdown and notebooks all show it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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
    shifts: "Shifts | None" = None  # of several fresh seeds

    def __getitem__(self, claim_id: str) -> Row:
        """Return a claim's row; raise UsageError with the nearest id if there is none."""
        wanted = claim_named(claim_id)
        return next(row for row in self.rows if row.claim is wanted)

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

    @cached_property
    def checks(self) -> "Checks | None":
        """The intervals that the run's one fresh seed is checked against; None if there are none.

        There are none for several seeds, which are judged together; for a seed of the evidence
        itself; for another data set; and if the evidence has too few seeds for a verdict.
        """
        from mnistrobust.judging.regression import checks_of  # late: it imports pandas

        seeds = self.results.seeds if self.results else ()
        if self.evidence is None or len(seeds) > 1 or {*seeds} & {*self.evidence.seeds}:
            return None
        other = self.results and self.results.source.digest != self.evidence.head.digest
        return None if other else checks_of(self.evidence)

    def notes(self) -> Iterator[str]:
        """Yield notes on the run: replaced networks, the rule, the checks, and any newer code."""
        models = self.results.models if self.results else {}
        for family, place in models.items():
            yield f"in place of {family}: {inert(place)}; verdicts are of the document's networks"
        outcomes = self.results.outcomes if self.results else ()
        if again := [each.id for each in outcomes if each.runs > 1]:
            yield f"NOTE: a pytest plugin ran {len(again)} specs more than once, such as {again[0]}"
        live = [row.live for row in self.judged if row.live]
        if live and self.results:
            yield f"live on {len(self.results.seeds)} fresh seeds: {_counted(live)}"
            yield f"{live_rule(len(self.results.seeds))}"
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
            shifted=tuple(by_claim.get(claim.id, ())),
        )
        for claim in claims
    )
    return Ledger(rows=rows, results=results, evidence=evidence, shifts=shifted)


def _counted(words: list[str]) -> str:
    order = (REPRODUCED, REFUTED, NOT_REPRODUCED, SEED_DEPENDENT, INCONCLUSIVE, PROVISIONAL)
    return ", ".join(f"{words.count(word)} {word}" for word in order if word in words)
