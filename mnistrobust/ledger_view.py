"""The ledger and its claims on a terminal, as a picture, and the worlds of one claim."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mnistrobust.checking import Checks, checks_of
from mnistrobust.claims import KINDS, Claim, load_questions
from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import FAILS, HOLDS, Results, Row, row, rows
from mnistrobust.questions import candidates
from mnistrobust.rendering import print_mapping
from mnistrobust.sensitivity import sensitivity
from mnistrobust.statistics import REFUTED, REPRODUCED
from mnistrobust.summary import summary
from mnistrobust.verdicts import rule

_COLOURS = {
    HOLDS: "green",
    FAILS: "red",
    "failed": "bold red",
    REPRODUCED: "green",
    REFUTED: "red",
}
_PICTURE_COLUMNS = 168
_WIDE = 140  # columns from which the ledger has one column for each thing


def print_ledger(
    results: Results, evidence: Evidence | None = None, console: Console | None = None
) -> None:
    """Print what the document said, what we measured, outcome and verdict of each claim.

    Last, since a terminal shows the end, which claims are wrong, and why.
    """
    console = console or Console(highlight=False)
    found = rows(results, evidence)
    if console.width >= _WIDE:
        console.print(_table(found))
    else:
        for each in found:
            _print_entry(each, console)
    for line in summary(results, evidence):
        if console.is_terminal and line.startswith("  "):
            _print_indented(_with_bold_name(line.strip()), console)
        else:
            console.print(Text(line), soft_wrap=not console.is_terminal)


def _table(found: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1)
    table.add_column("claim", ratio=4, min_width=max(len(each.claim.id) for each in found))
    for name in ("the document", "measured", "verdict"):
        table.add_column(name, ratio=2)
    table.add_column("outcome", width=16)
    for each in found:
        measured = Text(each.measured, overflow="fold")
        table.add_row(_named(each.claim), _said(each), measured, _judged(each), _outcome(each))
    return table


def _print_entry(found: Row, console: Console) -> None:
    console.print(Text.assemble((found.claim.id, "bold"), "  ", _outcome(found)))
    told = [found.claim.statement, f"document: {'; '.join((found.claim.said, *found.placed))}"]
    told += [f"measured: {found.measured}"] if found.measured else []
    for each in told:
        _print_indented(Text(each, overflow="fold"), console)
    if found.claim.judged:
        verdict = Text("verdict: ").append(found.judged[0], _COLOURS.get(found.judged[0], ""))
        _print_indented(verdict.append("".join(f"; {each}" for each in found.judged[1:])), console)
    console.print()


def _print_indented(text: Text, console: Console) -> None:
    console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _with_bold_name(line: str) -> Text:
    name, space, rest = line.partition(" ")
    return Text.assemble((name, "bold"), space, rest)


def save_ledger(results: Results, target: Path, evidence: Evidence | None = None) -> None:
    """Save the ledger as an SVG picture, a line for each claim."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("claim", no_wrap=True)
    for name in ("the document", "measured", "outcome", "verdict"):
        table.add_column(name)
    for each in rows(results, evidence):
        cells = (Text(each.claim.said), Text(each.measured), _outcome(each), _counted(each))
        table.add_row(each.claim.id, *cells)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_PICTURE_COLUMNS, file=nowhere, highlight=False)
        console.print(table)
        console.print(Text(next(summary(results, evidence))))  # the table says the rest
        title = f"mnistrobust verify · {results.source.name}"
        svg = console.export_svg(title=title, unique_id="ledger")
    # Rich names a font to fetch from the network; the fall-back fonts do.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def print_claims(claims: Sequence[Claim], evidence: Evidence | None = None) -> None:
    """Print the registry: id, kind, statement, the document's figures, and the verdict."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("claim", ratio=5)
    table.add_column("kind", no_wrap=True)
    table.add_column("document", ratio=2)
    table.add_column("verdict", no_wrap=True)
    for claim in claims:
        found = row(claim, evidence)
        table.add_row(_named(claim), claim.kind, Text(claim.said), _counted(found))
    console = Console(highlight=False)
    console.print(table)
    if evidence:
        console.print(Text(f"{evidence.head.dataset}: {rule(evidence.worlds)}"))


def print_claim(claim: Claim, evidence: Evidence | None = None) -> None:
    """Print one claim in full: its verdict, the document's figures, and what one world shows."""
    found, checks = row(claim, evidence), checks_of(evidence)
    print_mapping(
        {
            "id": claim.id,
            "kind": f"{claim.kind}: {KINDS[claim.kind]}",
            "statement": claim.statement,
            "document": f"“{claim.quote}” (cell {claim.cell})" if claim.quote else "not in it",
            "reported": claim.said,
            **{f"looks at {name}": str(place) for name, place in found.places.items()},
            "verdict": "; ".join(found.judged),
            **({"instead": claim.instead} if claim.instead else {}),
            **(checks.described(claim.id) if checks else {}),
            "spec": claim.spec,
        }
    )


def print_questions(evidence: Evidence | None = None) -> None:
    """Print the document's open questions: each claim with each network it may be about."""
    console = Console(highlight=False)
    for question in load_questions().values():
        console.print(Text(question.question, style="bold"))
        if question.answer:
            console.print(Text(question.answer))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
        table.add_column("claim and network", ratio=2)
        table.add_column("holds in", no_wrap=True)
        table.add_column("fits", no_wrap=True)
        table.add_column("the document's figures among single looks", ratio=3)
        for each in candidates(question, evidence):
            if each.recipe == question.recipe:
                table.add_row(Text(each.claim, style="bold", overflow="fold"))
            fits = {None: "–", True: "yes", False: "no"}[each.fits]
            told = "\n".join(f"{figure} {place}" for figure, place in each.places.items())
            held = f"{each.held}/{each.worlds}"
            table.add_row(Text(f"  {each.recipe}"), held, fits, Text(told or "plot"))
        console.print(table if table.row_count else Text("No evidence yet.\n", style="dim"))


def print_sensitivity(checks: Checks) -> None:
    """Print what the evidence allows: its origin, its false alarms, and each check."""
    found = sensitivity(checks)
    names = ("dataset", "worlds", "command", "rule", "false_alarms", "widened", "alarms_left_out")
    print_mapping({name.replace("_", " "): found[name] for name in names})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("claim", overflow="fold")
    for name in ("figure", "typical", "fall seen", "rise seen"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    for claim, named in found["checks"].items():
        for i, (name, each) in enumerate(named.items()):
            cells = [f"{each[key]:.3g}" for key in ("typical", "smallest_fall", "smallest_rise")]
            if not each["checkable"]:
                cells[1:] = ["not", "checkable"]
            table.add_row("" if i else claim, name, *cells)
    Console(highlight=False).print(table)


def save_strip(claim: Claim, evidence: Evidence, target: Path) -> None:
    """Draw a claim's worlds and save the picture; UsageError where that cannot be."""
    from mnistrobust import strip_plots

    figure = strip_plots.strips(claim, evidence)
    try:
        figure.savefig(target)
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib lacks
        raise UsageError(f"--picture {target}: {error}; name another file.") from error


def _named(claim: Claim) -> Text:
    text = Text(claim.id, style="bold", overflow="fold")
    return text.append(f"\n{claim.statement}", style="not bold")


def _outcome(found: Row) -> Text:
    return Text(found.outcome, style=_COLOURS.get(found.outcome, ""))


def _said(found: Row) -> Text:
    return Text("\n".join((found.claim.said, *found.placed)))


def _judged(found: Row) -> Text:
    word, *rest = found.judged
    text = Text(word, style=_COLOURS.get(word, ""))
    return text.append("".join(f"\n{each}" for each in rest), style="default")


def _counted(found: Row) -> Text:
    text = Text(found.judged[0], style=_COLOURS.get(found.judged[0], ""))
    verdict = found.verdict
    return text.append(f" {verdict.held}/{verdict.worlds}", style="default") if verdict else text
