"""The schedule of trainings: longest first, in several processes on one machine."""

import contextlib
import math
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from mnistrobust import data, engine
from mnistrobust.backend import limit_threads, standard_settings
from mnistrobust.conditions import Condition
from mnistrobust.errors import MnistRobustError, say_warnings
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.replicates.replicate import Replicate, Task
from mnistrobust.store import Key, Store

MEMORY_PER_WORKER = 2 * 2**30  # bytes; TensorFlow, full MNIST twice, and one network in training
_SAFE_PATH, _OURS = "PYTHONSAFEPATH", "mnistrobust"  # any value but nothing switches it on
_END_SECONDS = 5.0  # for a process to end by itself
Result = TypeVar("Result")


def worker_count(tasks: int = len(RECIPES)) -> int:
    """Return how many processes to run: at most one per core, task, and 2 GiB of free memory."""
    import joblib  # knows affinity and container limits

    return int(max(1, min(joblib.cpu_count(), free_memory() // MEMORY_PER_WORKER, tasks)))


def free_memory() -> float:
    """Return bytes: on Linux the available memory, elsewhere all memory, or infinity if unknown."""
    with contextlib.suppress(OSError, TypeError):  # no such file, or no such line in it
        text = Path("/proc/meminfo").read_text("ascii")
        return 1024 * int(re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)[1])  # type: ignore[index]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf


def prepare(replicate: Replicate, tasks: Sequence[Task], workers: int | None = None) -> None:
    """Train and evaluate what is missing; a process that is killed loses only its own training."""
    missing = [task for task in tasks if not replicate.complete(task)]
    workers = min(workers or worker_count(), max(len(missing), len(_by_dose(missing))))
    if workers > 1:
        _side_by_side(replicate, missing, workers)
    # This process does what the others left undone, or fails with the reason.
    work(replicate, missing)


def work(replicate: Replicate, tasks: Sequence[Task]) -> None:
    """Fulfil every task that no other process works on, longest first, and perturbations last.

    Images are perturbed once for all networks. Any number of processes may call this: they train
    nothing twice, and leave no core idle.
    """
    left = [task for task in tasks if not replicate.complete(task)]
    if not left:
        return  # a warm run does not open the data set
    costs, by_dose = plan(replicate, left), _by_dose(left)
    ordered = sorted(costs, key=lambda task: (-costs[task], task.recipe.name))
    for task in ordered:
        _compile(replicate, task.recipe, wait=False)
    for task in ordered:
        if replicate.complete(task):
            continue
        _compile(replicate, task.recipe, wait=True)
        with replicate.store.lock(replicate.model_key(task.recipe.name), wait=False) as held:
            if held:
                replicate.fulfil(task)
    for name, same in by_dose.items():
        label = f"{name.replace(':', '-')}-{replicate.source.name}-seed{replicate.seed}"
        with replicate.store.lock(Key("draws", label, {}), wait=False) as held:
            if held:
                replicate.evaluate_together(same)


def _without_dose(task: Task) -> tuple[Condition, ...]:
    return tuple(each for each in task.conditions if each.perturbation is None)


def _by_dose(tasks: Sequence[Task]) -> Mapping[str, list[Task]]:
    """Return the tasks of each perturbation at a dose, by its name, with no other condition."""
    found: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        for each in task.conditions:
            if each.perturbation:
                found[each.name].append(replace(task, conditions=(each,)))
    return found


def plan(replicate: Replicate, tasks: Sequence[Task]) -> dict[Task, float]:
    """Return the costs of what is to be trained, and announce all work on the replicate's board."""
    rows = len(data.load(replicate.source).train_labels)
    plain = [replace(task, conditions=_without_dose(task)) for task in tasks]
    costs = {task: cost(task.recipe, rows) for task in plain if not replicate.complete(task)}
    if replicate.board:
        label = replicate.label
        work = {label(each.recipe): (each.recipe.architecture.name, costs[each]) for each in costs}
        for same in _by_dose(tasks).values():
            together = sum(task.recipe.architecture.cost for task in same)
            work[label(same[0].conditions[0])] = ("evaluation", together)
        replicate.board.plan(work)
    return costs


def _compile(replicate: Replicate, recipe: Recipe, *, wait: bool) -> None:
    """Compile a recipe's engine once for all processes, unless another process is compiling it."""
    module = recipe.architecture.engine
    if engine.is_compiled(module):
        return
    with replicate.store.lock(Key("engines", module, {}), wait=wait) as held:
        if held and not engine.is_compiled(module):
            from mnistrobust import training

            with standard_settings():
                training.compile_engine(recipe)


def cost(recipe: Recipe, train_rows: int) -> float:
    """Return roughly how many seconds the training of a recipe takes on one core."""
    return recipe.architecture.cost * recipe.size(train_rows) * recipe.epochs / 1000


def _side_by_side(replicate: Replicate, tasks: Sequence[Task], workers: int) -> None:
    limit_threads()
    store, recipes = Store(replicate.store.root), dict(replicate.recipes)
    fresh = Replicate(replicate.seed, replicate.source, store, replicate.board, recipes)
    spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow can hang
    processes = [
        spawn.Process(target=_join, args=(fresh, tasks), daemon=True) for _ in range(workers)
    ]
    try:
        with _apart(), _interrupts_held():
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


def in_processes(
    call: Callable[..., Result], arguments: Sequence[tuple[object, ...]], workers: int
) -> Iterator[Result]:
    """Yield what a function returns for each of the arguments, in the order in which calls end.

    The processes end with this one, and with the iterator. Raises MnistRobustError if one is killed.
    """
    limit_threads()
    spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow can hang
    others = set(multiprocessing.active_children())
    with _apart():  # its semaphores start a process, too
        pool = ProcessPoolExecutor(workers, spawn, _follow_parent)
    with pool:
        try:
            with _apart(), _interrupts_held():
                calls = [pool.submit(call, *each) for each in arguments]
            yield from (each.result() for each in as_completed(calls))
        except BrokenProcessPool as error:
            raise MnistRobustError(
                "A process was killed: run the same command to continue."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.kill()  # an interrupt does not wait for networks in training


def _follow_parent() -> None:
    """Let this process, which another has spawned to train, end with it and only by it."""
    if os.environ.get(_SAFE_PATH) == _OURS:  # it was for this start alone
        del os.environ[_SAFE_PATH]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, interrupted too, ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception tidies up
    threading.Thread(target=_end_with_parent, daemon=True).start()
    say_warnings()


def _join(replicate: Replicate, tasks: Sequence[Task]) -> None:
    _follow_parent()
    try:
        work(replicate, tasks)
    except Exception:  # noqa: BLE001 - the parent meets the same error and reports it
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Start processes that do not run the caller's script again, which may have no guard.

    Nor do they begin with the caller's `signal.py` or `token.py` in place of Python's.
    """
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    kept = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = kept or _OURS
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if kept is None:
            del os.environ[_SAFE_PATH]


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which they inherit; ours comes when they have started."""
    if threading.current_thread() is not threading.main_thread():
        return (yield)
    came: list[int] = []
    kept = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    inherited = hasattr(signal, "pthread_sigmask")  # not on Windows
    if inherited:
        resource_tracker.ensure_running()  # it would unblock what is blocked before it starts
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if inherited:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, kept)
    if came:
        signal.raise_signal(signal.SIGINT)
