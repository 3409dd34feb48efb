"""What the commands show on a terminal: notes, tables and progress."""

import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistrobust.errors import inert

if TYPE_CHECKING:
    from mnistrobust.replicates import Replicate, Task

_NARROWEST = 20  # columns of values
_SILENCE = 15.0  # seconds
Tell = Callable[[str, float], None]  # takes a line, and the share that is done


def note(text: str) -> None:
    """Write a line to standard error."""
    Console(stderr=True, highlight=False).print(Text(inert(text), style="dim"), soft_wrap=True)


def mapping(values: Mapping[str, Any]) -> None:
    """Print names and values, each wrapped at the width; a path or another word stays whole."""
    console, indent = Console(highlight=False), max(map(len, values)) + 2
    for name, value in values.items():
        room = max(console.width - indent, _NARROWEST)
        lines = wrap(plain(value), room, break_long_words=False, break_on_hyphens=False)
        text = f"\n{'':{indent}}".join(lines)
        console.print(Text.assemble((f"{name:<{indent}}", "bold"), text), soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Collection[str] = (),
    whole: Collection[str] = (),
    console: Console | None = None,
) -> None:
    """Print a table; columns in `right` are numbers, and these and those in `whole` never break."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        side: Literal["right", "left"] = "right" if name in right else "left"
        unbroken = name in right or name in whole
        grid.add_column(inert(name), justify=side, overflow="fold", no_wrap=unbroken)
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(inert(cell)) for cell in row))
    (console or Console(highlight=False)).print(grid)


@contextmanager
def progress() -> Iterator[Tell]:
    """Show progress on standard error, a pipe hears of it seldom; yields the function to tell it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        from mnistrobust.replicates.progress import repeated

        said: str | None = None
        begun, new = time.monotonic(), False

        def tell(text: str, _: float) -> None:
            nonlocal said, new
            first, said, new = said is None, text, True
            if first:
                again()

        def again() -> None:
            nonlocal new
            so_far = "" if new else f" · {time.monotonic() - begun:.0f} s so far"
            new = False
            note(f"{said or 'starting'}{so_far}")

        with repeated(again, _SILENCE):
            yield tell
        if new:
            again()
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as shown:
        bar = shown.add_task("starting", total=1.0)
        yield lambda text, done: shown.update(bar, description=inert(text), completed=done)


def prepare(replicate: "Replicate", tasks: Sequence["Task"], workers: int | None = None) -> None:
    """Train and evaluate what is missing, with progress on standard error."""
    missing = [task for task in tasks if not replicate.complete(task)]
    if not missing:
        return
    from mnistrobust.replicates import schedule
    from mnistrobust.replicates.progress import Board, repeated

    seconds = 0.5 if Console(stderr=True).is_terminal else 10.0
    with tempfile.TemporaryDirectory(prefix="mnistrobust-progress-") as folder, progress() as tell:
        board = replicate.board = Board(Path(folder))

        def look() -> None:
            if now := board.look():
                tell(str(now), now.fraction)

        try:
            with repeated(look, seconds):
                schedule.prepare(replicate, missing, workers)
        finally:
            replicate.board = None


@contextmanager
def replicates_progress(
    what: str = "seeds",
) -> Iterator[Callable[[int, int, float | None], None]]:
    """Show how many seeds, or `what`, are done and the time left; yields the function to tell it."""
    from mnistrobust.replicates.progress import time_left

    with progress() as tell:

        def finished(done: int, total: int, seconds: float | None) -> None:
            parts = (f"{done} of {total} {what} done", time_left(seconds))
            tell(" · ".join(filter(None, parts)), done / total)

        yield finished


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
