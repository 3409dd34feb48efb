"""What changed since a baseline, on a terminal and on the report's page."""

import json
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from mnistrobust.comparison.changes import SUSPICIOUS, Change, Changes
from mnistrobust.errors import inert
from mnistrobust.judging.regression import BETTER, WORSE
from mnistrobust.report.console import table
from mnistrobust.report.page import Changed

_COLOURS = {WORSE: "red", BETTER: "green", SUSPICIOUS: "bold yellow"}
_ROWS = 20  # of a table on a terminal; --json and the report have them all


def print_changes(changes: Changes, console: Console | None = None) -> None:
    """Print what changed: the verdict first, then claims and figures."""
    console = console or Console(highlight=False)
    for line in _head(changes):
        console.print(Text(inert(line), style="red" if line.startswith("WORSE") else ""))
    if changes.figures:
        columns = _columns(changes)
        shown = [
            [
                Text(inert(value), _COLOURS.get(change.word, ""))
                for value in _figure(change, changes)
            ]
            for change in changes.figures[:_ROWS]
        ]
        table(columns, shown, right=columns[1:], console=console)
        if (more := len(changes.figures) - _ROWS) > 0:
            console.print(f"and {more} more; the report names them all")
        console.print(Text(_foot(changes), style="dim"))


def changed(changes: Changes) -> Changed:
    """Return what is written to the report's folder: the page's notes and tables, and JSON."""
    figures = [_figure(change, changes) for change in changes.figures]
    return Changed(
        notes=list(_head(changes)),
        tables=[(_columns(changes), figures)] if figures else [],
        json=json.dumps(changes.to_json(), indent=1) + "\n",
    )


def _columns(changes: Changes) -> list[str]:
    return ["figure", "before", "now", "by" if changes.replicates is None else "sd", "change"]


def _head(changes: Changes) -> Iterator[str]:
    yield f"Since the baseline '{changes.baseline}' ({changes.made}, {changes.dataset}, seed 0):"
    if not (changes.figures or changes.turns):
        yield "nothing changed: every figure is the same."
    for line in changes.worse:
        yield f"WORSE: {line}"
    if changes.suspicious:
        n = len(changes.suspicious)
        yield (
            f"SUSPICIOUSLY BETTER: {n} figure{'s' * (n > 1)}; check for test images among the "
            f"training images"
        )
    if changes.code:
        yield f"changed code: {', '.join(changes.code)}"
    for package, (before, after) in changes.versions.items():
        yield f"{package} {before or 'absent'} → {after or 'absent'}"
    if changes.unmatched:
        yield f"not compared, since one run lacks them: {', '.join(changes.unmatched)}"
    if changes.figures:
        yield f"{len(changes.figures)} of {changes.compared} figures and margins moved"
    for turn in changes.turns:
        yield f"{turn.claim}: {turn.before} → {turn.after}"


def _foot(changes: Changes) -> str:
    if changes.bound is None:
        return (
            "There is no evidence of this data set, which would say how much seeds differ: only a claim that "
            "cannot be computed is reported as worse. 'mnistrobust compare' compares networks image by image."
        )
    return (
        f"sd: the change in standard deviations over {changes.replicates} seeds. By chance, two "
        f"seeds of the same recipes differ by more than {changes.bound:.1f} in any figure in fewer "
        f"than 1% of comparisons. Only larger changes are reported as worse."
    )


def _figure(change: Change, changes: Changes) -> list[str]:
    moved = f"{change.difference:+.4f}"
    if changes.replicates is not None:
        moved = "–" if change.deviations is None else f"{change.deviations:+.1f}"
    values = [f"{change.before:.4f}", f"{change.after:.4f}", moved]
    return [f"{change.claim} {change.name}", *values, change.word]
