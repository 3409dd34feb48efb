"""Several processes that train side by side on one machine."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import psutil

from mnistrobust.backend import limit_threads
from mnistrobust.data import Source
from mnistrobust.progress import Board
from mnistrobust.recipes import RECIPES
from mnistrobust.store import Store
from mnistrobust.world import Task, World, work

MEMORY_PER_WORKER = 2 * 2**30  # bytes; TensorFlow, full MNIST twice, and one network in training


def worker_count(tasks: int = len(RECIPES)) -> int:
    """Return how many processes to run: at most one a core, a task, and 2 GiB of free memory."""
    import joblib  # knows affinity and container limits

    by_memory = psutil.virtual_memory().available // MEMORY_PER_WORKER
    return int(max(1, min(joblib.cpu_count(), by_memory, tasks)))


def prepare(world: World, tasks: Sequence[Task], workers: int | None = None) -> None:
    """Train and read what is missing of the tasks, in as many processes as the machine allows."""
    missing = [task for task in tasks if not world.complete(task)]
    workers = min(workers or worker_count(), len(missing))
    if workers < 2:
        work(world, missing)
        return
    limit_threads()
    board = world.board.folder if world.board else None
    # spawn: a forked TensorFlow can hang
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(_join, world.seed, world.source, world.store.root, board, missing)
            for _ in range(workers)
        ]
        for job in jobs:
            job.result()


def _join(seed: int, source: Source, root: object, board: object, tasks: Sequence[Task]) -> None:
    from pathlib import Path

    progress = Board(Path(str(board))) if board else None
    work(World(seed, source, Store(Path(str(root))), progress), tasks)
