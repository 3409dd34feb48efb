"""A run in a few lines: how many claims hold, which are wrong, and why."""

from collections.abc import Iterable, Iterator

from mnistrobust.errors import inert
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import ERROR, FAILS, HOLDS, Results, Row, rows, verdict_counts
from mnistrobust.statistics import REFUTED, SEED_DEPENDENT


def wrong(found: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of wrong claims, by what is wrong with them: what this run says comes first.

    A claim that the evidence does not call wrong is so where it does not hold in this run.
    """
    groups: dict[str, list[Row]] = {word: [] for word in (ERROR, FAILS, REFUTED, SEED_DEPENDENT)}
    for each in found:
        words = {one.word for one in each.outcomes}
        if ERROR in words:
            groups[ERROR].append(each)
        if each.claim.judged and each.judged[0] in {REFUTED, SEED_DEPENDENT}:
            groups[each.judged[0]].append(each)
        elif FAILS in words:
            groups[FAILS].append(each)
    return {word: group for word, group in groups.items() if group}


def summary(results: Results, evidence: Evidence | None = None) -> Iterator[str]:
    """Yield a line on how many claims hold and what their verdicts are, then which are wrong."""
    ran = [each for each in rows(results, evidence) if each.outcomes]
    judged = [each for each in ran if each.claim.judged]
    held = [each for each in judged if all(one.word == HOLDS for one in each.outcomes)]
    yield (
        f"{len(held)} of {len(judged)} judged claims hold on {results.source.name}, "
        f"seed {', '.join(map(str, results.seeds))} ({verdict_counts(judged, evidence)})"
    )
    for family, place in results.models.items():
        yield f"in place of {family}: {inert(place)}; verdicts are of the document's own networks"
    for kind, group in wrong(ran).items():
        yield f"{kind} ({len(group)}):"
        for each in group:
            margin = "" if each.margin is None else f" (margin {each.margin:+.3f})"
            told = f"{margin}: {each.measured}"
            if each.verdict and each.claim.instead and kind == each.verdict.word:
                where = "on full MNIST: " if results.source.notice else ""
                rate = f"holds in {each.verdict.held}/{each.verdict.worlds}"
                told = f" ({rate}): {where}{each.claim.instead}"
            yield f"  {each.claim.id}{told}"
