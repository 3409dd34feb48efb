"""The document as its cells do it, against `mnistrobust verify` from an empty store."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnistrobust.bench import contestants
from mnistrobust.bench.contestants import Note
from mnistrobust.bench.race import teams
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError
from mnistrobust.verifying import find_clone


def measure_document(source: Source, note: Note) -> dict[str, Any]:
    """Return seconds and ratios of both, and the time of each of the document's cells.

    `ratio_without_repeats` leaves out the cells that train a network anew only to watch other
    held-out images.
    """
    find_clone()  # fails at once where verify cannot run
    job = {"source": source.to_json(), "warm_up": False}
    with teams([contestants.DOCUMENT], job, 1, note) as (team,):
        found = team.run(1)
    note(f"the document took {found['seconds']:.0f} s; now mnistrobust verify")
    return document_figures(found["seconds"], found["cells"], _verify(source), source.name)


def document_figures(
    seconds: float, cells: Sequence[dict[str, Any]], verify_seconds: float, data: str
) -> dict[str, Any]:
    """Return the figures that follow from what was measured."""
    repeats = sum(cell["seconds"] for cell in cells if cell["repeats_a_training"])
    return {
        "data": data,
        "seconds": seconds,
        "seconds_without_repeats": seconds - repeats,
        "verify_seconds": verify_seconds,
        "ratio": seconds / verify_seconds,
        "ratio_without_repeats": (seconds - repeats) / verify_seconds,
        "cells": list(cells),
    }


def _verify(source: Source) -> float:
    """Return the seconds of the command, its start included, from an empty store."""
    with tempfile.TemporaryDirectory(prefix="mnistrobust-bench-") as folder:
        command = [sys.executable, "-m", "mnistrobust", "verify", "--offline"]
        command += ["--data", source.path or source.name]
        command += [
            "--store",
            str(Path(folder) / "store"),
            "--report",
            str(Path(folder) / "report"),
        ]
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
        seconds = time.perf_counter() - start
    if done.returncode not in {0, 1}:  # 1: a claim or check failed, after all the work
        raise MnistRobustError(f"mnistrobust verify ended with exit code {done.returncode}.")
    return seconds
