"""Faults and the kill matrix on a terminal."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from mnistrobust.errors import UsageError, cause, inert
from mnistrobust.files import regular
from mnistrobust.mutants.faults import FAULTS, Fault
from mnistrobust.mutants.matrix import GROUPS, Matrix
from mnistrobust.report.console import table


def print_faults(faults: Sequence[Fault]) -> None:
    """Print names, mistakes and sizes."""
    rows = [
        (fault.name, fault.described(fault.sizes[0]), " ".join(fault.sizes)) for fault in faults
    ]
    table(("fault", "mistake", "sizes"), rows, whole=("fault",))


def print_matrix(matrix: Matrix) -> None:
    """Print a row for each trial: how many claims and other specs see the fault."""
    rows = []
    for trial in matrix.trials:
        counts = [len(trial.claims)]
        if trial.specs == "specs":
            counts += [len(trial.others(group)) for group in GROUPS]
        style = "" if bool(trial.failed) == (trial.fault in FAULTS) else "red"
        shown = [str(count) if count else "·" for count in counts]
        cells = [trial.mistake, *shown, *[""] * (1 + len(GROUPS) - len(shown))]
        rows.append([Text(inert(cell), style) for cell in cells])
    table(("mistake", "claims", *GROUPS), rows, right=("claims", *GROUPS))
    sys.stdout.write(f"{matrix.summary}\n")


def known(path: Path) -> Matrix:
    """Return the matrix of an earlier run; UsageError for another file."""
    try:
        return Matrix.from_json(regular(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--from {path}: {cause(error)}; name what --output wrote.") from error
