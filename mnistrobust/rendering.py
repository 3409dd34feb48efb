"""What the commands show on a terminal: tables, notes and progress."""

import os
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mnistrobust.claims import KINDS, Claim
from mnistrobust.errors import UsageError, inert
from mnistrobust.ledger import FAILS, HOLDS, Results, rows, summary
from mnistrobust.progress import Board
from mnistrobust.world import Task, World

_COLOURS = {HOLDS: "green", FAILS: "red", "failed": "bold red"}
_REFRESH_SECONDS = 0.5
_PICTURE_COLUMNS = 168
_WIDE = 110  # columns from which the ledger has one column for each thing


def note(text: str) -> None:
    """Write a line to standard error."""
    Console(stderr=True, highlight=False).print(Text(inert(text), style="dim"), soft_wrap=True)


def print_ledger(results: Results, console: Console | None = None) -> None:
    """Print one row for each claim: what the document said, what we measured, and the outcome."""
    console = console or Console(highlight=False)
    wide = console.width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1)
    table.add_column("claim", ratio=4 if wide else 3)
    if wide:
        table.add_column("the document", ratio=2)
        table.add_column("measured", ratio=2)
        table.add_column("outcome", width=16)
    else:
        table.add_column("outcome; the document; measured", ratio=2)
    for row in rows(results):
        claim = Text(row.claim.id, style="bold", overflow="fold")
        claim.append(f"\n{row.claim.statement}", style="not bold")
        outcome = Text(row.outcome, style=_COLOURS.get(row.outcome, ""))
        measured = Text(row.measured, overflow="fold")
        if wide:
            table.add_row(claim, Text(row.claim.said), measured, outcome)
        else:
            said = Text(f"said: {row.claim.said}\n")
            table.add_row(claim, Text.assemble(outcome, "\n", said, measured))
    console.print(table)
    for line in summary(results):
        console.print(Text(line))


def save_ledger(results: Results, target: Path) -> None:
    """Save the ledger as an SVG picture, a line for each claim."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("claim", no_wrap=True)
    for name in ("the document", "measured", "outcome"):
        table.add_column(name)
    for row in rows(results):
        outcome = Text(row.outcome, style=_COLOURS.get(row.outcome, ""))
        table.add_row(row.claim.id, Text(row.claim.said), Text(row.measured), outcome)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_PICTURE_COLUMNS, file=nowhere, highlight=False)
        console.print(table)
        for line in summary(results):
            console.print(Text(line))
            break  # the table says the rest
        title = f"mnistrobust verify · {results.source.name}"
        svg = console.export_svg(title=title, unique_id="ledger")
    # Rich names a font to fetch from the network; the fall-back fonts do.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def print_claims(claims: Sequence[Claim]) -> None:
    """Print the registry: id, kind, statement, and the document's figures."""
    table = Table("claim", "kind", "document", box=box.SIMPLE_HEAD, pad_edge=False)
    for claim in claims:
        text = Text(claim.id, style="bold", overflow="fold")
        text.append(f"\n{claim.statement}", style="not bold")
        table.add_row(text, claim.kind, Text(claim.said))
    Console(highlight=False).print(table)


def print_claim(claim: Claim) -> None:
    """Print one claim in full."""
    print_mapping(
        {
            "id": claim.id,
            "kind": f"{claim.kind}: {KINDS[claim.kind]}",
            "statement": claim.statement,
            "document": f"“{claim.quote}” (cell {claim.cell})" if claim.quote else "not in it",
            "reported": claim.said,
            "spec": claim.spec,
        }
    )


def print_mapping(values: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in values.items():
        table.add_row(Text(name, style="bold"), Text(_plain(value), overflow="fold"))
    Console(highlight=False).print(table)


def print_training(ends: Mapping[str, Mapping[str, float]]) -> None:
    """Print the last values of learning curves."""
    table = Table("recipe", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in next(iter(ends.values()), {}):
        table.add_column(name, justify="right")
    for recipe, values in ends.items():
        table.add_row(recipe, *(f"{value:.4f}" for value in values.values()))
    Console(highlight=False).print(table)


def print_entries(root: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Print the store's entries and their size."""
    console = Console(highlight=False)
    for each in entries:
        line = f"{each['bytes']:>12,}  {inert(each['entry'])}"
        console.print(Text(line), soft_wrap=True)
    total = sum(each["bytes"] for each in entries)
    line = f"{len(entries)} entries, {total / 1e6:,.1f} MB, in {inert(root)}"
    console.print(Text(line), soft_wrap=True)


def prepare(world: World, tasks: Sequence[Task], workers: int | None = None) -> None:
    """Train and read what is missing, with progress on standard error."""
    missing = [task for task in tasks if not world.complete(task)]
    if not missing:
        return
    from mnistrobust.parallel import prepare as run

    with tempfile.TemporaryDirectory(prefix="mnistrobust-progress-") as folder:
        world.board = Board(Path(folder))
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(world.board, ended), daemon=True)
        watch.start()
        try:
            run(world, missing, workers)
        finally:
            ended.set()
            watch.join()
            world.board = None


def save_overview(world: World, recipe: str, view: str, target: Path) -> None:
    """Draw a recipe's pictures on a view and save them."""
    from mnistrobust import data, plots
    from mnistrobust.randomness import stream
    from mnistrobust.views import view_named

    draws = view_named(view).draws(data.load(world.source), stream(world.seed, "view", view))
    images, _ = next(draws)
    history = world.trained(recipe).history
    figure = plots.overview(world.read(recipe, on=view), history, images[:10])
    try:
        figure.savefig(target)
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib lacks
        raise UsageError(f"--output {target}: {error}; name another file.") from error


def _watch(board: Board, ended: threading.Event) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        while not ended.wait(10.0):
            if now := board.look():
                note(str(now))
        return
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=1.0)
        while not ended.wait(_REFRESH_SECONDS):
            if now := board.look():
                progress.update(bar, description=str(now), completed=now.fraction)


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return " ".join(_plain(each) for each in value)
    return inert(value)
