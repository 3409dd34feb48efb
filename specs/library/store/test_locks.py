"""The store's lock: it saves work, and nothing depends on it."""

import os
import subprocess
import sys
import threading

import pytest

from mnistrobust.store import Key, Store
from mnistrobust.store import store as stores

KEY = Key("models", "x-seed0", {"recipe": "x", "seed": 0})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize("name", ["locks", "locks/models-x-seed0"])
def test_a_foreign_thing_in_place_of_a_lock_stops_nobody(name, store):
    """Without a lock the block runs all the same."""
    path = store.root / name
    path.parent.mkdir(parents=True)
    if name == "locks":
        path.write_text("mine")
    else:
        (store.root / "locks" / f"{KEY.name.replace('/', '-')}.lock").mkdir()

    with store.lock(KEY) as held:
        assert held
    with store.lock(KEY, wait=False) as held:
        assert held


HOLDER = """
import sys
from pathlib import Path
from mnistrobust.store import Key, Store
with Store(Path(sys.argv[1])).lock(Key("models", "x-seed0", {"recipe": "x", "seed": 0})) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_lock_is_exclusive_and_is_released_by_a_killed_process(store, process):  # noqa: ARG001
    """While a process holds a key's lock no other does; when it is killed, the lock is free."""
    command = [sys.executable, "-c", HOLDER, str(store.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:
        try:
            assert holder.stdout.readline().strip() == b"True"
            with store.lock(KEY, wait=False) as held:
                assert not held
            with store.lock(Key("models", "y", {}), wait=False) as held:
                assert held
        finally:
            holder.kill()
        holder.wait()
        with store.lock(KEY, wait=False) as held:
            assert held


def test_who_waits_for_long_says_for_whom(store, monkeypatch):
    """After some seconds a waiting process names the entry, and the process that works on it."""
    monkeypatch.setattr(stores, "_PATIENCE", 0.01)
    said, holds = [], threading.Event()

    def wait():
        with store.lock(KEY, waiting=lambda text: (said.append(text), holds.set())):
            pass

    with store.lock(KEY):
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert holds.wait(60)
    waiter.join(60)

    assert not waiter.is_alive()
    assert said == [f"waiting for x-seed0, which process {os.getpid()} works on"]


def test_lock_is_free_after_its_block(store):
    """A block that raises releases the lock too."""
    with pytest.raises(KeyError), store.lock(KEY):
        raise KeyError
    with store.lock(KEY, wait=False) as held:
        assert held
