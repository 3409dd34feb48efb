"""Claims judged on fresh worlds by their number of wins."""

from collections.abc import Iterator

from mnistrobust.evidence import Evidence
from mnistrobust.ledger import HOLDS, Results, Row, rows
from mnistrobust.statistics import (
    NOT_REPRODUCED,
    REFUTED,
    REPRODUCED,
    LiveRule,
    live_rule,
)
from mnistrobust.verdicts import word_of

_EXPECTED = {REPRODUCED: REPRODUCED, REFUTED: NOT_REPRODUCED}


def is_live(results: Results) -> bool:
    """Return whether the run has several worlds, which together judge a claim."""
    return len(results.seeds) > 1


def unexpected(results: Results, evidence: Evidence | None) -> list[str]:
    """Return a line for each claim that fresh worlds judge otherwise than the evidence.

    Inconclusive is otherwise: it confirms nothing. Nothing is expected of a claim whose verdict
    depends on the seed, or that has none.
    """
    found = []
    for row in _judged(results):
        verdict = word_of(row.claim, evidence)
        live = _rule(row).judge(_held(row))
        if verdict in _EXPECTED and live != _EXPECTED[verdict]:
            found.append(f"{row.claim.id}: {live}, by the evidence {verdict}")
    return found


def report(results: Results, evidence: Evidence | None) -> Iterator[str]:
    """Yield the rule with its errors, what it says of each claim, and what was not expected."""
    judged = _judged(results)
    if not judged:
        return
    yield f"live on {len(results.seeds)} fresh worlds: {live_rule(len(results.seeds))}"
    for row in judged:
        verdict = word_of(row.claim, evidence)
        yield f"  {row.claim.id}: {_rule(row).judge(_held(row))}, {row.outcome}; verdict: {verdict}"
    for line in unexpected(results, evidence):
        yield f"NOT AS EXPECTED: {line}"


def _judged(results: Results) -> list[Row]:
    found = [row for row in rows(results) if row.claim.judged and row.outcomes]
    return [row for row in found if not any(each.error for each in row.outcomes)]


def _rule(row: Row) -> LiveRule:
    return live_rule(len(row.outcomes))


def _held(row: Row) -> int:
    return sum(each.word == HOLDS for each in row.outcomes)
