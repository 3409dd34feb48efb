"""What the commands show on a terminal: tables, notes and progress."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mnistrobust.errors import UsageError, inert
from mnistrobust.progress import Board
from mnistrobust.world import Task, World

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REFRESH_SECONDS = 0.5
_ENDLESS = 100_000  # columns


def note(text: str) -> None:
    """Write a line to standard error."""
    Console(stderr=True, highlight=False).print(Text(inert(text), style="dim"), soft_wrap=True)


def print_mapping(values: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in values.items():
        table.add_row(Text(name, style="bold"), Text(plain(value), overflow="fold"))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _ENDLESS  # a pipe gets each value whole, in one line
    console.print(table)


def print_training(ends: Mapping[str, Mapping[str, float]]) -> None:
    """Print the last values of learning curves."""
    table = Table("recipe", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in next(iter(ends.values()), {}):
        table.add_column(name, justify="right")
    for recipe, values in ends.items():
        table.add_row(recipe, *(f"{value:.4f}" for value in values.values()))
    Console(highlight=False).print(table)


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table with a line for each mapping; nothing for none. Nested values are left out."""
    if not rows:
        return
    names = [name for name, value in rows[0].items() if not isinstance(value, Mapping)]
    table = Table(*names, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(plain(row[name]), overflow="fold") for name in names))
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


def overview(world: World, recipe: str, view: str) -> "Figure":
    """Draw a recipe's pictures on a view, with images of its first draw."""
    from mnistrobust import data, plots
    from mnistrobust.randomness import stream
    from mnistrobust.views import view_named

    draws = view_named(view).draws(data.load(world.source), stream(world.seed, "view", view))
    images, _ = next(draws)
    history = world.trained(recipe).history
    return plots.overview(world.read(recipe, on=view), history, images[: plots.STRIP])


def save_overview(world: World, recipe: str, view: str, target: Path) -> None:
    """Draw a recipe's pictures on a view and save them."""
    figure = overview(world, recipe, view)
    try:
        figure.savefig(target)
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib lacks
        raise UsageError(f"--output {target}: {error}; name another file.") from error


@contextmanager
def worlds_progress() -> Iterator[Callable[[int, int, float | None], None]]:
    """Show how many worlds are done and the time left; yields what to tell it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, seconds: note(_worlds(done, total, seconds))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=1.0)

        def tell(done: int, total: int, seconds: float | None) -> None:
            said = _worlds(done, total, seconds)
            progress.update(bar, description=said, completed=done, total=total)

        yield tell


def _worlds(done: int, total: int, seconds: float | None) -> str:
    left = "" if seconds is None else f", about {timedelta(seconds=round(seconds))} left"
    return f"{done} of {total} worlds done{left}"


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


def plain(value: Any) -> str:
    """Return a value of a command's JSON as one line of text."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return " ".join(plain(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(name)} {plain(each)}" for name, each in value.items())
    return inert(value)
