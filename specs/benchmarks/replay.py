"""The document, replayed cell by cell, against `mnistrobust verify` from an empty store.

Some cells train a network anew only to watch other held-out images. The second ratio leaves those
cells out.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mnistrobust.data import load
from mnistrobust.errors import MnistRobustError, say
from specs.benchmarks.command import parser, run
from specs.benchmarks.contestants import default_threads
from specs.benchmarks.document import EPOCHS, ROWS, Document
from specs.benchmarks.teams import Contestant, team


def prepare(source):
    """Replay the document; the measurement has the list of its cells."""
    default_threads()
    arrays = load(source).arrays

    def replay(epochs):
        rows = None if epochs == EPOCHS else ROWS  # few in a quick run
        some = {name: each[:rows] for name, each in arrays.items()}
        with tempfile.TemporaryDirectory(prefix="mnistrobust-") as folder:
            document = Document(some, Path(folder), epochs)
            for part in (document.ann, document.noise_class, document.rnn, document.cnn):
                part()
        return {"cells": document.cells}

    return replay


DOCUMENT = Contestant(
    "document",
    "the document",
    prepare,
    needs="keras",
    whole_machine=True,
    variables={"MPLBACKEND": "Agg"},
)


def measure(arguments, source):
    """Return seconds and ratios of both, and the time of each of the document's cells."""
    with team(DOCUMENT, source, warm_up=False) as document:
        found = document.run(1 if arguments.quick else EPOCHS)
    say(f"the document took {found['seconds']:.0f} s; now mnistrobust verify")
    verify_seconds = verify(source, warm=arguments.quick)
    return {"document": figures(source.name, found["seconds"], found["cells"], verify_seconds)}


def figures(data, seconds, cells, verify_seconds):
    """Return what follows from the measurements."""
    repeats = sum(cell["seconds"] for cell in cells if cell["repeats_a_training"])
    return {
        "data": data,
        "seconds": seconds,
        "seconds_without_repeats": seconds - repeats,
        "verify_seconds": verify_seconds,
        "ratio": seconds / verify_seconds,
        "ratio_without_repeats": (seconds - repeats) / verify_seconds,
        "cells": cells,
    }


def verify(source, *, warm=False):
    """Return the seconds of the command, its start included, from an empty store or from one's own."""
    with tempfile.TemporaryDirectory(prefix="mnistrobust-") as folder:
        command = [sys.executable, "-m", "mnistrobust", "verify", "--offline"]
        command += ["--data", source.path or source.name]
        command += ["--report", f"{folder}/report"]
        command += [] if warm else ["--store", f"{folder}/store"]
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        seconds = time.perf_counter() - start
    if done.returncode not in {0, 1}:  # 1: a claim or check failed, after all the work
        raise MnistRobustError(f"mnistrobust verify ended with exit code {done.returncode}.")
    return seconds


def main():
    run(parser(__doc__), measure)


if __name__ == "__main__":
    main()
