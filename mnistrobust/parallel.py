"""Several processes that train side by side on one machine."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from mnistrobust.backend import limit_threads
from mnistrobust.data import Source
from mnistrobust.errors import say_warnings
from mnistrobust.progress import Board
from mnistrobust.recipes import RECIPES
from mnistrobust.store import Store
from mnistrobust.world import Task, World, work

MEMORY_PER_WORKER = 2 * 2**30  # bytes; TensorFlow, full MNIST twice, and one network in training
_END_SECONDS = 5.0  # for a process to leave what it is at


def worker_count(tasks: int = len(RECIPES)) -> int:
    """Return how many processes to run: at most one a core, a task, and 2 GiB of free memory."""
    import joblib  # knows affinity and container limits

    by_memory = psutil.virtual_memory().available // MEMORY_PER_WORKER
    return int(max(1, min(joblib.cpu_count(), by_memory, tasks)))


def prepare(world: World, tasks: Sequence[Task], workers: int | None = None) -> None:
    """Train and read what is missing of the tasks, in as many processes as the machine allows.

    A process that is killed loses its own training only.
    """
    missing = [task for task in tasks if not world.complete(task)]
    workers = min(workers or worker_count(), len(missing))
    if workers > 1:
        _side_by_side(world, missing, workers)
    # What the others left undone, this process does, or fails with the reason.
    work(world, missing)


def _side_by_side(world: World, tasks: Sequence[Task], workers: int) -> None:
    limit_threads()
    board = world.board.folder if world.board else None
    arguments = (world.seed, world.source, world.store.root, board, tasks)
    spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow can hang
    processes = [spawn.Process(target=_join, args=arguments, daemon=True) for _ in range(workers)]
    try:
        with _interrupts_ignored():
            for process in processes:
                process.start()
        for process in processes:
            process.join()
    finally:
        for end in ("terminate", "kill"):
            alive = [process for process in processes if process.is_alive()]
            for process in alive:
                getattr(process, end)()
            for process in alive:
                process.join(_END_SECONDS)


def _join(seed: int, source: Source, root: Path, board: Path | None, tasks: Sequence[Task]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, interrupted too, ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception tidies up
    threading.Thread(target=_end_with_parent, daemon=True).start()
    say_warnings()
    try:
        work(World(seed, source, Store(root), Board(board) if board else None), tasks)
    except Exception:  # noqa: BLE001 - the parent meets the same error and reports it
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes start deaf to Ctrl-C: they inherit it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)
