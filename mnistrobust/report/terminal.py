"""The ledger on a terminal and as a picture, a line for each claim, and one claim in full."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from mnistrobust.errors import inert
from mnistrobust.evidence import load
from mnistrobust.evidence.results import ERROR, FAILS, HOLDS
from mnistrobust.judging.ledger import Ledger, ledger_of
from mnistrobust.judging.row import NOT_JUDGED, Row
from mnistrobust.judging.statistics import (
    INCONCLUSIVE,
    NOT_REPRODUCED,
    PROVISIONAL,
    REFUTED,
    REPRODUCED,
    SEED_DEPENDENT,
)
from mnistrobust.judging.verdicts import FULL
from mnistrobust.registry import KINDS
from mnistrobust.report import console

_GOOD, _BAD = ("✓", "green"), ("✗", "red")
_MARKS = {  # of the run's outcome, or of the verdict where nothing ran
    HOLDS: _GOOD,
    FAILS: _BAD,
    ERROR: ("!", "bold red"),
    REPRODUCED: _GOOD,
    REFUTED: _BAD,
    NOT_REPRODUCED: _BAD,
    SEED_DEPENDENT: ("≈", "yellow"),
    INCONCLUSIVE: ("≈", "yellow"),
    PROVISIONAL: ("…", ""),
}
_LEGEND = (
    "evidence: for how many seeds a claim holds",
    "✓ holds  ✗ does not  · not judged  ≈ depends on the seed",
)
_COLUMNS = 80  # of a pipe, and the fewest for which the lines are made
_STATEMENT = 40  # columns that are left from which a line has room for the statement
_PICTURE_COLUMNS = 80  # readable at the width that a repository's page has
_UNEXPECTED = 5  # claims; the page, --verbose and --json have them all
_SENSITIVITY = {  # figures of `judging.sensitivity`, named for the user
    "replicates": "seeds",
    "false_alarms": "false-alarm rate of a run",
    "reach": "reach of intervals, in standard deviations",
}


def lines(ledger: Ledger, width: int | None = None) -> Iterator[Text]:
    """Yield a line for each claim, by verdict and wrong ones first, and the summary, in `width` columns."""
    room = width or _COLUMNS
    names = max((len(row.claim.id) for row in ledger.listed), default=0)
    ran = ledger.results is not None
    told = names + (30 if ran else 13)  # columns before the statement
    yield Text(f"  {'claim':<{names}}  evidence{'   this run' * ran}", "dim")
    for word, rows in _groups(ledger).items():
        yield Text(f"{word} ({len(rows)})", style="bold")
        for row in rows:
            line = _line(row, names, ran=ran)
            if room - told > _STATEMENT:
                line.append(f"{row.claim.statement:>{told - len(line) + len(row.claim.statement)}}")
            line.truncate(room, overflow="ellipsis")
            yield line
    yield from (Text(line, "dim") for line in _LEGEND)
    yield Text()
    for text in summary(ledger):
        indent = " " * (len(text) - len(text.lstrip()) + 2)
        style = "red" if text.startswith(("NOT AS", "NOTE")) else ""
        style = "green" if text.startswith("AS EXPECTED") else style
        folded = width and wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
        yield from (Text(line, style=style) for line in folded or [text])


def summary(ledger: Ledger) -> Iterator[str]:
    """Yield how many claims hold, the verdicts, what is not as expected, and what to know of it."""
    yield ledger.headline
    if ledger.results is None:
        if ledger.evidence:
            name = ledger.evidence.head.dataset
            rehearsal = "" if name == FULL else ", a rehearsal: only full MNIST judges the document"
            yield f"evidence: {name}{rehearsal}"
        return
    if not ledger.rehearsal:
        yield ledger.counts
    if ledger.as_expected:
        yield (
            "AS EXPECTED: the run agrees with the evidence. A claim that does not hold is no failure if "
            "the evidence says the same."
        )
    if unexpected := list(ledger.unexpected.items()):
        yield f"NOT AS EXPECTED ({len(unexpected)}):"
    yield from (f"  {claim}: {why}" for claim, why in unexpected[:_UNEXPECTED])
    if len(unexpected) > _UNEXPECTED:
        yield f"  and {len(unexpected) - _UNEXPECTED} more"
    if left := len(ledger.rows) - len(ledger.listed):
        yield f"{left} claims did not run"
    yield from ledger.notes()
    name = ledger.results.source.name
    if not ledger.rehearsal:
        yield f"data set: {name}"
        return
    yield f"data set: {name}, a rehearsal: only full MNIST judges the document"
    document = ledger_of(evidence=load(FULL))
    yield f"the document's verdicts, by full MNIST {document.counts}; 'mnistrobust claims' lists them"


def print_ledger(ledger: Ledger, target: Console | None = None, *, verbose: bool = False) -> None:
    """Print a line for each claim and the summary; `verbose` prints each claim in full before."""
    target = target or Console(highlight=False)
    if verbose:
        for row in ledger.listed:
            print_claim(row, ledger)
            target.print()
    for line in lines(ledger, target.width if target.is_terminal else None):
        target.print(line, soft_wrap=True)


def picture(ledger: Ledger) -> str:
    """Return the ledger as an SVG picture, a line for each claim."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        target = Console(record=True, width=_PICTURE_COLUMNS, file=nowhere, highlight=False)
        for line in lines(ledger, _PICTURE_COLUMNS):
            target.print(line)
        title = f"mnistrobust verify · {ledger.rows[0].dataset}"
        svg = target.export_svg(title=title, unique_id="ledger")
    # Rich names a font to fetch from the network; the fall-back fonts do.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def print_claim(row: Row, ledger: Ledger) -> None:
    """Print one claim in full: the document's words, the run's figures, verdict and intervals."""
    claim = row.claim
    facts = {
        "id": claim.id,
        "kind": f"{claim.kind}: {KINDS[claim.kind]}",
        "statement": claim.statement,
        "document": f"“{claim.quote}” (cell {claim.cell})" if claim.quote else "not in it",
        "reported": claim.said,
    }
    facts |= {f"single draws of {name}": str(place) for name, place in row.places.items()}
    if row.outcomes:
        facts |= {"measured": row.measured, "outcome": row.outcome}
    if row.margin is not None:
        facts["margin"] = f"{row.margin:+.3f}"
    judge = "verdict" if row.dataset == FULL else f"on {row.dataset}"
    facts[judge] = "; ".join(row.judged)
    if row.truth:
        facts["instead" if judge == "verdict" else "on full MNIST"] = row.truth.removeprefix(
            "On full MNIST: "
        )
    from mnistrobust import curves  # late: pandas
    from mnistrobust.judging.regression import checks_of

    checks = ledger.checks if ledger.results else checks_of(ledger.evidence)
    facts |= checks.described(claim.id) if checks else {}
    if found := curves.load():
        facts |= {
            f"by {each.axis}": each.sentence for each in found.curves if each.claim == claim.id
        }
        on = found.head.dataset
        of = "" if on == FULL else f"The curves are of {on}, not of full MNIST. "
        facts |= {"curves": note} if (note := f"{of}{found.note}".strip()) else {}
    console.mapping({**facts, "spec": claim.spec})


def print_sensitivity(found: Mapping[str, Any]) -> None:
    """Print what the evidence allows: its origin, its false alarms, and each check."""
    hidden = {"versions", "machines", "uncheckable", "checks"}
    shown = (name for name in found if name not in hidden)
    console.mapping({_SENSITIVITY.get(name, name): found[name] for name in shown})
    target = Console(highlight=False)
    target.print(f"\n{'':32}{'typical':>12}{'fall':>12}{'rise':>12}")
    for claim, named in found["checks"].items():
        target.print(Text(inert(claim), "bold"))
        for name, value in named.items():
            seen = f"{value['smallest_fall']:>12.3g}{value['smallest_rise']:>12.3g}"
            seen = seen if value["checkable"] else f"{'not checkable':>24}"
            target.print(Text(f"  {inert(name):<30}{value['typical']:>12.3g}{seen}"))


def _groups(ledger: Ledger) -> dict[str, list[Row]]:
    """Return the rows by verdict; in a rehearsal, by whether they are as the evidence expects."""
    if not ledger.rehearsal:
        return ledger.by_verdict
    judged = "as the evidence expects" if ledger.as_expected or ledger.unexpected else PROVISIONAL
    groups: dict[str, list[Row]] = {}
    for row in sorted(ledger.listed, key=lambda row: (not row.unexpected, not row.claim.judged)):
        word = judged if row.claim.judged else NOT_JUDGED
        groups.setdefault("NOT AS EXPECTED" if row.unexpected else word, []).append(row)
    return groups


def _line(row: Row, names: int, *, ran: bool) -> Text:
    """Return a claim's line: its id, the evidence's hold-rate, and this run's mark and margin."""
    word = row.live or (row.here if ran else row.word)
    mark, style = _MARKS.get(word, ("·", ""))
    first = (" ", "") if ran else (mark, style)
    line = Text.assemble(first, f" {row.claim.id:<{names}}  {row.rate:>8}")
    value = f"{row.held}/{len(row.outcomes)}" if row.live else ""
    if row.claim.judged and row.margin is not None and not row.live:
        value = f"{row.margin:+.3f}"
    if ran:
        line.append(f"  {mark} {value:>7}", style)
    if word == ERROR:
        line.append(f"  {word}", style)
    line.rstrip()
    return line
