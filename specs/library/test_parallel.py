"""Several processes on one world: each network once, and a killed process costs its own only."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from mnistrobust import parallel
from mnistrobust.store import Store
from mnistrobust.world import Task, World

TASKS = [Task("ann_1000", ("clean",)), Task("ann_threshold_1000", ("threshold",))]


def test_there_are_no_more_processes_than_tasks_cores_and_memory_allow(monkeypatch):
    """The number of processes is the smallest of the three, and at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    def memory(free):
        found = psutil.virtual_memory()._replace(available=free)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: found)

    memory(10**15)
    assert parallel.worker_count(1) == 1
    assert 1 <= parallel.worker_count(10**6) <= cores
    memory(0)
    assert parallel.worker_count(10**6) == 1
    memory(3 * parallel.MEMORY_PER_WORKER + 1)
    assert parallel.worker_count(10**6) <= 3


def test_complete_tasks_start_no_process(rehearsal, monkeypatch):
    """A warm world returns at once."""
    monkeypatch.setattr(parallel, "_side_by_side", lambda *_: pytest.fail("a process starts"))

    parallel.prepare(rehearsal, [Task("ann_1000", ("clean", "offset-noise"))] * 2, workers=2)


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(rehearsal, tmp_path):
    """Weights and readings do not depend on how many processes made them."""
    stores = []
    for workers in (1, 2):
        world = World(0, rehearsal.source, Store(tmp_path / str(workers)))
        parallel.prepare(world, TASKS, workers)
        entries = world.store.entries()
        stores.append({path.name: path.read_bytes() for path in entries})
        assert len(entries) == 4

    assert stores[0] == stores[1]


COMMAND = ("train", "ann_1000", "ann_noisy", "--workers", "2", "--data", "mnist5k", "--store")


@pytest.fixture
def training(tmp_path, surroundings):
    """A command that trains in two processes, and those, once they have begun."""
    surroundings.setenv("PYTHONPATH", str(parallel.Path(parallel.__file__).parents[1]))
    command = [sys.executable, "-m", "mnistrobust", *COMMAND, str(tmp_path / "store")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as running:
        family = psutil.Process(running.pid)
        try:
            until = time.monotonic() + 60
            while len(workers := workers_of(family)) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            assert len(workers) == 2, "the processes did not start"
            yield running, workers, Store(tmp_path / "store")
        finally:
            for each in [family, *workers_of(family)]:
                if each.is_running():
                    each.kill()


def workers_of(family):
    try:
        children = family.children()
        return [each for each in children if "spawn_main" in " ".join(each.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("victims", [1, 2])
def test_a_killed_process_costs_its_own_training_only(victims, training):
    """The command ends with every network, whoever of its processes is killed."""
    running, workers, store = training
    for worker in workers[:victims]:
        worker.send_signal(signal.SIGKILL)

    out, err = running.communicate(timeout=120)

    assert running.returncode == 0, err
    assert "Traceback" not in err
    assert "ann_noisy" in out
    assert len(store.entries()) == 2
    assert store.damaged() == []


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent in another way on Windows")
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "command-only"])
@pytest.mark.parametrize("seconds", [0, 6])
def test_an_interrupt_ends_all_processes_and_says_how_to_go_on(seconds, whole_group, training):
    """Ctrl-C ends command and processes within seconds, without a trace in store or terminal."""
    running, workers, store = training
    time.sleep(seconds)
    if running.poll() is not None:
        pytest.skip("this machine trains faster than the interrupt comes")
    if whole_group:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)

    _, err = running.communicate(timeout=30)

    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command to go on.")
    assert store.damaged() == []
    assert not list(store.root.rglob("*.tmp"))
    assert not any(each.is_running() for each in workers)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX systems")
def test_processes_end_with_their_parent(training):
    """When the command itself is killed, its processes do not train on."""
    running, workers, _ = training
    running.kill()

    _, alive = psutil.wait_procs(workers, timeout=15)

    assert not alive
