"""Faults and the kill matrix on a terminal, and the matrix as a picture in a file."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistrobust.errors import UsageError
from mnistrobust.mutants.faults import FAULTS, Fault
from mnistrobust.mutants.matrix import GROUPS, Matrix


def print_faults(faults: Sequence[Fault]) -> None:
    """Print names, mistakes and sizes."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("fault", "mistake", "sizes"):
        table.add_column(name)
    for fault in faults:
        table.add_row(fault.name, Text(fault.mistake), " ".join(fault.sizes))
    Console(highlight=False).print(table)


def print_matrix(matrix: Matrix) -> None:
    """Print a row for each trial: how many claims and other specs see the fault."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mistake")
    for name in ("claims", *GROUPS):
        table.add_column(name, justify="right")
    for trial in matrix.trials:
        counts = [len(trial.claims), *(len(trial.others(group)) for group in GROUPS)]
        expected = bool(trial.failed) == (trial.fault in FAULTS)
        cells = [str(count) if count else "·" for count in counts]
        table.add_row(Text(trial.mistake), *cells, style="" if expected else "red")
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(matrix.summary))


def known(path: Path) -> Matrix:
    """Return the matrix of an earlier run; UsageError for another file."""
    try:
        return Matrix.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"--from {path}: {error.strerror}; name what --output wrote.") from error
    except ValueError as error:
        raise UsageError(f"--from {path}: {error}; name what --output wrote.") from error


def save_picture(matrix: Matrix, target: Path) -> None:
    """Draw the matrix and save it; UsageError where that cannot be."""
    from mnistrobust.mutants.picture import picture

    try:
        picture(matrix).savefig(target)
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib lacks
        raise UsageError(f"--picture {target}: {error}; name another file.") from error
