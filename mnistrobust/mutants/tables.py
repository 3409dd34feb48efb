"""Faults and the kill matrix on a terminal."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from mnistrobust.errors import UsageError, cause, inert
from mnistrobust.files import regular
from mnistrobust.mutants.faults import FAULTS, Fault
from mnistrobust.mutants.matrix import CLAIMS, Matrix
from mnistrobust.report.console import table


def print_faults(faults: Sequence[Fault]) -> None:
    """Print names, mistakes and sizes."""
    rows = [
        (fault.name, fault.described(fault.sizes[0]), " ".join(fault.sizes)) for fault in faults
    ]
    table(("fault", "mistake", "sizes"), rows, whole=("fault",))


def print_matrix(matrix: Matrix) -> None:
    """Print a row for each trial: how many claims, or else other specs, see the fault."""
    rows = []
    for trial in matrix.trials:
        others = sum(not spec.startswith(CLAIMS) for spec in trial.failed)
        style = "" if bool(trial.failed) == (trial.fault in FAULTS) else "red"
        cells = (trial.mistake, str(len(trial.claims) or "·"), str(others or "·"))
        rows.append([Text(inert(cell), style) for cell in cells])
    table(("mistake", "claims", "other specs"), rows, right=("claims", "other specs"))
    sys.stdout.write(f"{matrix.summary}\n")


def known(path: Path) -> Matrix:
    """Return the matrix of an earlier run; UsageError for another file."""
    try:
        return Matrix.from_json(regular(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--from {path}: {cause(error)}; name what --output wrote.") from error
