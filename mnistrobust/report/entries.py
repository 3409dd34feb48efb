"""The ledger's rows as the page shows them: a line for each claim, and its figures in words and dots."""

from collections.abc import Sequence
from typing import Any

from mnistrobust.evidence.results import ERROR, FAILS, HOLDS, REPORTED
from mnistrobust.judging.intervals import mean_and_deviation
from mnistrobust.judging.ledger import Ledger
from mnistrobust.judging.row import NOT_RUN, VERDICTS, Row
from mnistrobust.report import dots
from mnistrobust.report.dots import Marks
from mnistrobust.words import SHARE

UNEXPECTED = "not as expected"
_WORST_FIRST = (UNEXPECTED, ERROR, *VERDICTS[:-2], FAILS, HOLDS, *VERDICTS[-2:], REPORTED, NOT_RUN)


def entries(ledger: Ledger, document: Ledger) -> list[dict[str, Any]]:
    """Return for each claim what the page's template shows, the worst first.

    `document` is the row of the ledger that judges the document, `word` the verdict where that is this one,
    else the run's outcome. A reader may sort by `rate` and `margin`, None where there is none.
    """
    margins = {row.claim.id: _margins(row) for row in ledger.rows}
    reach = max([1.0, *(abs(value) for each in margins.values() for value in each.values)])
    found = []
    for order, (row, judge) in enumerate(zip(ledger.rows, document.rows, strict=True)):
        verdict, marks = row.verdict, margins[row.claim.id]
        known = document.evidence and not ledger.rehearsal
        entry = {
            "order": order,
            "row": row,
            "document": judge,
            "word": UNEXPECTED if row.unexpected else row.word if known else row.here,
            "margins": dots.margins(marks, reach) if marks.values else None,
            "figures": _figures(row),
            "rate": verdict.held / verdict.replicates if verdict else None,
            "margin": verdict.median if verdict else row.margin if row.claim.judged else None,
        }
        found.append(entry)
    return sorted(found, key=lambda entry: _WORST_FIRST.index(entry["word"]))


def _margins(row: Row) -> Marks:
    """Return the margins of the evidence's seeds and of the run's; none if the claim is not judged."""
    if not row.claim.judged:
        return Marks()
    evidence = row.evidence.claims.get(row.claim.id) if row.evidence else None
    runs = tuple(outcome.margin for outcome in row.outcomes if outcome.margin is not None)
    return Marks(replicates=evidence.margins.get("margin", ()) if evidence else (), runs=runs)


def _figures(row: Row) -> list[dict[str, Any]]:
    """Return a line for each figure of the document or ours; shares of one claim have one scale."""
    claim, evidence = row.claim, row.evidence.claims.get(row.claim.id) if row.evidence else None
    seeds = evidence.figures if evidence else {}
    runs = [outcome.figures for outcome in row.outcomes]
    marks = {
        name: Marks(
            replicates=seeds.get(name, ()),
            runs=tuple(run[name] for run in runs if name in run),
            reported=claim.reported.get(name),
            draws=row.places.get(name),
        )
        for name in dict.fromkeys(
            name for known in (claim.reported, *runs, seeds) for name in known
        )
    }
    # the document's figures that have none of ours are shares
    scales = {name: claim.figures[name].scale if name in claim.figures else SHARE for name in marks}
    shares = [each for name, each in marks.items() if scales[name] == SHARE]
    return [
        _figure(claim.label(name), each, shares if scales[name] == SHARE else [each])
        for name, each in marks.items()
    ]


def _figure(label: str, marks: Marks, alike: Sequence[Marks]) -> dict[str, Any]:
    """Return one line of a claim's table; what nobody measured or printed is empty."""
    return {
        "name": label,
        "document": "" if marks.reported is None else f"{marks.reported:.4g}",
        "run": _short(sum(marks.runs) / len(marks.runs), 3) if marks.runs else "",
        "replicates": _spread(marks.replicates) if marks.replicates else "",
        "strip": dots.strip(label, marks, alike) if marks.replicates or marks.draws else None,
    }


def _spread(values: Sequence[float]) -> str:
    mean, deviation = mean_and_deviation(values) if len(values) > 1 else (values[0], 0.0)
    return f"{_short(mean, 3)} ± {_short(deviation, 2)}"


def _short(value: float, digits: int) -> str:
    """Write a number with so many significant digits, and a tiny one without an exponent."""
    return f"{value:.4f}" if 0 < abs(value) < 0.001 else f"{value:.{digits}g}"
