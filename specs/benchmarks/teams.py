"""Contestants side by side: each waits in processes of its own until it is its turn."""

import importlib.util
import math
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest import mock

import joblib

from mnistrobust.errors import MnistRobustError, say

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SPAWN = multiprocessing.get_context("spawn")  # a new process has no library of ours in it
child = {}  # in a contestant's process: what trains


@dataclass(frozen=True)
class Contestant:
    """One way to train.

    `prepare(job)` returns the function that trains so many epochs more; what that returns is
    added to the measurement. `needs` is the package it is written with. With `whole_machine` it
    is one process that takes what threads it likes; otherwise one process for each core, with one
    thread each. `variables` are set before anything is imported.
    """

    name: str
    title: str
    prepare: Callable
    needs: str
    whole_machine: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def installed(self):
        return importlib.util.find_spec(self.needs) is not None

    def environment(self):
        """Return the variables of this contestant's processes: CPU only, and its threads."""
        kept = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
        kept |= {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
        if not self.whole_machine:
            kept |= dict.fromkeys(THREAD_VARIABLES, "1")
        return kept | self.variables


@contextmanager
def team(contestant, job, *, warm_up=True):
    """Start a contestant's processes, wait until all are ready to train, and end them."""
    say(f"starting {contestant.title}")
    with ExitStack() as stack:
        size = 1 if contestant.whole_machine else joblib.cpu_count()
        processes = [
            stack.enter_context(ProcessPoolExecutor(1, SPAWN, initializer=_enter))
            for _ in range(size)
        ]
        yield Team(contestant, processes, job, warm_up=warm_up)


class Team:
    """The processes of one contestant, ready to train; `start` has what each took until then."""

    def __init__(self, contestant, processes, job, *, warm_up):
        self.contestant, self.size, self._processes = contestant, len(processes), processes
        with mock.patch.dict(os.environ, contestant.environment(), clear=True):
            self.start = self._all(_start, contestant.prepare, job, warm_up)

    def run(self, epochs):
        """Let all processes train at once; return the slowest's seconds and the cores in use.

        Whatever the first process measured besides is in the result as well.
        """
        measured = self._all(_timed, epochs)
        seconds = max(each["seconds"] for each in measured)
        cores = sum(each.pop("cpu_seconds") for each in measured) / seconds
        return measured[0] | {"seconds": seconds, "cores_used": cores}

    def epochs_for(self, seconds):
        """Return how many epochs take about that long, at the rate of the warm-up."""
        slowest = max(each["epoch_seconds"] for each in self.start)
        return max(1, math.ceil(seconds / max(slowest, 1e-9)))

    def _all(self, function, *arguments):
        running = [process.submit(function, *arguments) for process in self._processes]
        try:
            return [each.result() for each in running]
        except Exception as error:
            title = self.contestant.title
            raise MnistRobustError(f"{title} ended in the benchmark: {error!r}") from error


def _enter():
    """Drop what libraries print, but not what we say; end with the process that started us."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _start(prepare, job, warm_up):
    start = time.perf_counter()
    child["run"] = prepare(job)
    facts = {"start_seconds": time.perf_counter() - start}
    if warm_up:
        first, second = (_timed(1)["seconds"] for _ in range(2))
        facts |= {"compile_seconds": max(0.0, first - second), "epoch_seconds": second}
    return facts


def _timed(epochs):
    wall, cpu = time.perf_counter(), time.process_time()
    found = child["run"](epochs) or {}
    used = time.process_time() - cpu
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": used, **found}
