"""Several processes on one replicate: each network once, and a killed process costs its own only."""

import math
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mnistrobust.errors import MnistRobustError
from mnistrobust.replicates import Replicate, schedule
from mnistrobust.store import Store
from specs.helpers import ROOT
from specs.helpers.processes import PATIENCE, children_of, kill_all, psutil, wait_for

TASKS = {"ann_1000": ["clean", "blur:1"], "ann_threshold_1000": ["threshold", "blur:1"]}


def test_there_are_no_more_processes_than_tasks_cores_and_memory_allow(monkeypatch):
    """The number of processes is the smallest of the three, and at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    def memory(free):
        monkeypatch.setattr(schedule, "free_memory", lambda: free)

    memory(10**15)
    assert schedule.worker_count(1) == 1
    assert 1 <= schedule.worker_count(10**6) <= cores
    monkeypatch.setattr("joblib.cpu_count", lambda: 9)
    assert schedule.worker_count(10**6) == 9
    memory(0)
    assert schedule.worker_count(10**6) == 1
    memory(3 * schedule.MEMORY_PER_WORKER + 1)
    assert schedule.worker_count(10**6) == 3


def test_free_memory_is_the_systems(monkeypatch):
    """It is a part of all memory; a system that tells nothing sets no limit."""
    total = psutil().virtual_memory().total

    assert 0 < schedule.free_memory() <= total
    told = "MemTotal: 9 kB\nMemFree:    1 kB\nMemAvailable:   4 kB\n"  # a cache is given back
    monkeypatch.setattr(schedule, "Path", lambda _: SimpleNamespace(read_text=lambda _: told))
    assert schedule.free_memory() == 4 * 1024
    monkeypatch.setattr(schedule, "Path", lambda _: Path("nowhere"))
    assert schedule.free_memory() == pytest.approx(total, rel=0.01)
    monkeypatch.delattr(os, "sysconf")
    assert schedule.free_memory() == math.inf


def test_complete_tasks_start_no_process(rehearsal, monkeypatch):
    """A warm replicate returns at once."""
    monkeypatch.setattr(schedule, "_side_by_side", lambda *_: pytest.fail("a process starts"))

    schedule.prepare(
        rehearsal, [rehearsal.task("ann_1000", ["clean", "offset-noise"])] * 2, workers=2
    )


@pytest.mark.parametrize(("workers", "processes"), [(1, 0), (2, 2), (9, 3)])
def test_no_more_processes_start_than_there_is_to_do(
    workers, processes, rehearsal, tmp_path, monkeypatch
):
    """A network or a perturbation each, and none beside the only one; they end with the command."""
    started, last = [], []

    def start(*, target, args, daemon):
        assert daemon
        started.append((target, args[1]))
        return SimpleNamespace(start=bool, join=lambda *_: None, is_alive=lambda: False)

    spawn = {"spawn": SimpleNamespace(Process=start)}
    monkeypatch.setattr(schedule.multiprocessing, "get_context", spawn.__getitem__)
    for name in ("_interrupts_held", "_apart", "limit_threads"):
        monkeypatch.setattr(schedule, name, nullcontext)
    monkeypatch.setattr(schedule, "work", lambda _, tasks: last.append(tasks))
    replicate = Replicate(5, rehearsal.source, Store(tmp_path))
    tasks = [replicate.task("ann_1000", ["clean", "blur:1", "blur:2", "rotate:5"])]

    schedule.prepare(replicate, tasks, workers)

    assert started == [(schedule._join, tasks)] * processes
    assert last == [tasks]


def test_what_another_process_works_on_is_left_to_it(rehearsal, tmp_path, monkeypatch):
    """Networks, the dearest first, then perturbations: nobody waits; all work is announced."""
    asked, held, planned, done = [], [], [], []
    board = SimpleNamespace(plan=planned.append)
    replicate = Replicate(3, rehearsal.source, Store(tmp_path), board)

    @contextmanager
    def lock(_, key, *, wait):
        asked.append((key.label.partition("-")[0], wait))
        yield len(asked) in held

    monkeypatch.setattr(Store, "lock", lock)
    monkeypatch.setattr(schedule, "_compile", lambda *_, **__: None)
    monkeypatch.setattr(Replicate, "fulfil", lambda _, task: done.append(task.recipe.name))
    monkeypatch.setattr(
        Replicate, "evaluate_together", lambda _, same: done.append([t.recipe.name for t in same])
    )
    tasks = [
        replicate.task("ann_1000", ["clean", "blur:1"]),
        replicate.task("rnn", ["rotate:5", "blur:1"]),
    ]
    for held[:] in ([1, 4], [2, 3]):
        asked.clear()
        schedule.work(replicate, tasks)

    names = ("rnn", "ann_1000", "blur", "rotate")
    assert asked == [(name, False) for name in names]
    assert done == ["rnn", ["rnn"], "ann_1000", ["ann_1000", "rnn"]]
    assert {name: kind for name, (kind, _) in planned[0].items()} == {
        "rnn (seed 3)": "rnn", "ann_1000 (seed 3)": "ann",
        "blur 1 (seed 3)": "evaluation", "rotate 5 (seed 3)": "evaluation",
    }  # fmt: skip


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(rehearsal, tmp_path):
    """Weights and evaluations do not depend on how many processes made them."""
    stores = []
    for workers in (1, 2):
        replicate = Replicate(0, rehearsal.source, Store(tmp_path / str(workers)))
        tasks = [replicate.task(name, conditions) for name, conditions in TASKS.items()]
        schedule.prepare(replicate, tasks, workers)
        entries = replicate.store.entries()
        stores.append({path.name: path.read_bytes() for path in entries})
        assert len(entries) == 6

    assert stores[0] == stores[1]


def test_processes_do_not_run_the_main_module_and_a_killed_one_is_an_error(monkeypatch, tmp_path):
    """A script may have no guard; a process that ends without a result is told in one line.

    Nor do they begin with a `signal.py` of the current folder.
    """
    (tmp_path / "signal.py").write_text("raise SystemError('not the signal of Python')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    (tmp_path / "script.py").touch()
    main = ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    file_of_main = "getattr(__import__('sys').modules['__main__'], '__file__', None)"

    asked = f"({file_of_main}, __import__('os').environ.get('PYTHONSAFEPATH'))"

    results = schedule.in_processes(eval, [(asked,), ("__import__('os')._exit(3)",)], 1)
    assert next(results) == (None, None)
    assert "PYTHONSAFEPATH" not in os.environ
    with pytest.raises(MnistRobustError, match="A process was killed: run the same command"):
        next(results)


def test_a_process_that_trains_ends_with_its_parent_alone(monkeypatch):
    """Ctrl-C is the parent's; a request to end tidies up; without the parent there is no end."""
    caught, gone, codes = {}, threading.Event(), queue.Queue()
    monkeypatch.setattr(schedule.signal, "signal", caught.__setitem__)
    monkeypatch.setattr(schedule, "say_warnings", bool)
    monkeypatch.setattr(schedule.os, "_exit", codes.put)
    parent = SimpleNamespace(join=lambda: gone.wait(PATIENCE))
    monkeypatch.setattr(schedule.multiprocessing, "parent_process", lambda: parent)

    schedule._join(None, [])

    assert caught[signal.SIGINT] == signal.SIG_IGN
    with pytest.raises(SystemExit):
        caught[signal.SIGTERM](signal.SIGTERM, None)
    assert codes.empty()
    gone.set()
    assert codes.get(timeout=20) == 1


SCRIPT = """
from mnistrobust.replicates.schedule import in_processes

print("begun")
print(*sorted(in_processes(abs, [(-1,), (-2,), (3,)], 2)))
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_run_once(tmp_path):
    """Its processes do not run it again."""
    (tmp_path / "script.py").write_text(SCRIPT)

    ended = subprocess.run(
        [sys.executable, tmp_path / "script.py"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (0, "begun\n1 2 3\n"), ended.stderr


TRAIN = ("train", "ann_1000", "ann_noisy")
COMPARE = ("compare", "ann", "ann_noisy", "--seeds", "2")


@pytest.fixture
def training(request, tmp_path, surroundings):
    """A command that trains in two processes, and those, once they have begun."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    options = ("--workers", "2", "--data", "mnist5k", "--store", str(tmp_path / "store"))
    words = getattr(request, "param", TRAIN)
    command = [sys.executable, "-m", "mnistrobust", *words, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as running:
        try:
            wait_for(lambda: len(trainers(running)) == 2)
            yield running, trainers(running), Store(tmp_path / "store")
        finally:
            kill_all([*trainers(running), running])


def trainers(running):
    """The processes that a command trains in."""
    return children_of(running.pid, "spawn_main", recursive=False)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("victims", [1, 2])
def test_a_killed_process_costs_its_own_training_only(victims, training):
    """The command ends with every network, whoever of its processes is killed."""
    running, workers, store = training
    for worker in workers[:victims]:
        worker.send_signal(signal.SIGKILL)

    out, err = running.communicate(timeout=PATIENCE)

    assert running.returncode == 0, err
    assert "Traceback" not in err
    assert "ann_noisy" in out
    assert len(store.entries()) == 2
    assert store.facts().keys() == {*store.entries()}


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent in another way on Windows")
def test_an_interrupt_while_processes_start_is_not_lost():
    """It comes once they have started, and ends the command."""
    with pytest.raises(KeyboardInterrupt), schedule._interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent in another way on Windows")
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "command-only"])
@pytest.mark.parametrize("locks", [0, 1], ids=["at-once", "in-training"])
def test_an_interrupt_ends_all_processes_and_says_how_to_go_on(locks, whole_group, training):
    """Ctrl-C ends command and processes within seconds, without a trace in store or terminal."""
    running, workers, store = training
    wait_for(lambda: len(list(store.root.glob("locks/models-*.lock"))) >= locks)
    if whole_group:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)

    _, err = running.communicate(timeout=30)

    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command to go on.")
    assert store.facts().keys() == {*store.entries()}
    assert not list(store.root.rglob("*.tmp"))
    assert not any(each.is_running() for each in workers)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("training", [TRAIN, COMPARE], ids=lambda words: words[0], indirect=True)
def test_processes_end_with_their_parent(training):
    """When the command itself is killed, its processes do not train on."""
    running, workers, _ = training
    running.kill()

    _, alive = psutil().wait_procs(workers, timeout=15)

    assert not alive
