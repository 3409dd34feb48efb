"""Processes that meet with faults: a warm parent that forks victims and reports what is left.

Run as `python faults.py SCENARIO STORE [NUMBER]`; prints what it found as JSON. The parent has
imported everything and built the network, so that a victim trains for real in a fraction of a
second; only the children touch the store.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import filelock

from mnistrobust import data, engine, training
from mnistrobust.recipes import recipe_named
from mnistrobust.replicates import Replicate, Task
from mnistrobust.replicates.schedule import work
from mnistrobust.store import Store

RECIPE = "ann_1000"
RECIPES = ("ann_1000", "ann_threshold_1000")
TASKS = [Task(recipe_named(name)) for name in RECIPES]
SECONDS = 300  # for one child


class Family:
    """Children of this process, and the bytes that each recipe's entry has to have."""

    def __init__(self, root, names):
        self.root = root
        self.source = data.decide("mnist5k")
        models = {name: built(name) for name in names}
        # A forked TensorFlow can hang: children take the network that their parent built.
        training.build = lambda recipe, _: models[recipe.name]
        self.log = root.with_name("trained.txt")
        self.log.touch()
        reference = self.replicate(root.with_name("reference"))
        for name in names:
            assert engine.engine_for(models[name]), "no fast engine"
            reference.trained(name)
        self.bytes = {
            path.relative_to(reference.store.root): path.read_bytes()
            for path in reference.store.entries()
        }
        train = training.train
        training.train = lambda recipe, *rest: self.note(recipe) or train(recipe, *rest)

    def replicate(self, root=None):
        """Return the replicate as a process sees it that has just started."""
        return Replicate(0, self.source, Store(root or self.root))

    def note(self, recipe):
        """Count a training."""
        with self.log.open("a") as file:
            file.write(f"{recipe.name}\n")

    def trained(self):
        """The recipes that were trained, one for each training."""
        return sorted(self.log.read_text().split())

    def fork(self, act):
        """Start a child that does one thing."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                act()
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        return child

    def wrong(self):
        """Entries whose bytes are not those of an undisturbed training, and damaged ones."""
        found = Store(self.root)
        names = [path.relative_to(self.root) for path in found.entries()]
        wrong = [str(n) for n in names if (self.root / n).read_bytes() != self.bytes.get(n)]
        return wrong + [str(path) for path in {*found.entries()} - found.facts().keys()]


def built(name):
    """Return a recipe's network, whose initial weights can be had without TensorFlow."""
    model = training.build(recipe_named(name), 0)
    weights = model.get_weights()
    model.get_weights = lambda: [each.copy() for each in weights]
    return model


def wait(child):
    """Return how a child ended; one that does not end is killed, and counts as a hang."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hang"


def kills(family, number):
    """Kill children at random moments: every other one trains, the others write on and on."""
    rng = random.Random(0)
    key = family.replicate().model_key(RECIPE)
    entry = family.replicate(family.root.with_name("reference")).store.get(key)

    def train():
        family.replicate().trained(RECIPE)

    def write():
        while True:
            Store(family.root).put(key, entry)
            Store(family.root).clear()

    seconds = min(timed(family, train) for _ in range(3))
    found = {"killed": 0, "finished": 0, "wrong": [], "held": 0, "hangs": 0, "left": 0}
    while found["killed"] < number:
        if rng.random() < 0.5:
            child, moment = family.fork(train), rng.uniform(0, seconds)
        else:
            child, moment = family.fork(write), rng.uniform(0.005, 0.08)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        ended = wait(child)
        found["killed"] += ended == -signal.SIGKILL
        found["finished"] += ended == 0
        found["hangs"] += ended == "hang"
        found["wrong"] += family.wrong()
        with family.replicate().store.lock(key, wait=False) as free:
            found["held"] += not free
        found["left"] += len(list(family.root.rglob("*.tmp")))
        Store(family.root).clear()
    after = wait(family.fork(train))
    return {**found, "after": after, "wrong": found["wrong"] + family.wrong()}


def timed(family, act):
    """Return how long a child takes that is left alone."""
    started = time.monotonic()
    wait(family.fork(act))
    Store(family.root).clear()
    return time.monotonic() - started


def steps(family, _):
    """Kill a child at every line of the store's code, the next one before it, until none is left."""
    key = family.replicate().model_key(RECIPE)
    entry = family.replicate(family.root.with_name("reference")).store.get(key)
    found = {"steps": 0, "wrong": [], "held": 0, "afterwards": []}
    ended = -signal.SIGKILL
    while ended == -signal.SIGKILL:
        found["steps"] += 1
        ended = wait(family.fork(lambda: write_and_die(family.root, key, entry, found["steps"])))
        found["wrong"] += family.wrong()
        with Store(family.root).lock(key, wait=False) as free:
            found["held"] += not free
        found["afterwards"].append(wait(family.fork(lambda: Store(family.root).put(key, entry))))
        found["wrong"] += family.wrong()
        Store(family.root).clear()
    return {**found, "last": ended}


def write_and_die(root, key, entry, line):
    """Put an entry, and die before the given line of the store's code."""
    left = line

    def trace(frame, event, _):
        nonlocal left
        if not frame.f_code.co_filename.endswith(("store/store.py", "mnistrobust/files.py")):
            return None
        left -= event == "line"
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    opened = Store(root)
    sys.settrace(trace)
    with opened.lock(key):
        if opened.get(key) is None:
            opened.put(key, entry)
    sys.settrace(None)


def together(family, number, act, rounds=5):
    """Let children do the same at once, again and again on an empty store."""
    codes, trained, wrong, entries = [], [], [], []
    for _ in range(rounds):
        family.log.write_text("")
        gate, opened = os.pipe()

        def start(gate=gate, opened=opened):
            os.close(opened)
            os.read(gate, 1)
            act(family.replicate())

        children = [family.fork(start) for _ in range(number)]
        os.close(opened)  # starts them all
        codes += [wait(child) for child in children]
        os.close(gate)
        trained.append(family.trained())
        wrong += family.wrong()
        entries.append(len(Store(family.root).entries()))
        Store(family.root).clear()
    return {"codes": sorted(set(map(str, codes))), "trained": trained, "wrong": wrong,
            "entries": entries}  # fmt: skip


def same(replicate):
    """Need one recipe."""
    trained = replicate.trained(RECIPE)
    assert trained.history["loss"]


def all_tasks(replicate):
    """Work on several recipes, then need each."""
    work(replicate, TASKS)
    for task in TASKS:
        replicate.trained(task.recipe.name)


def without_locks(family, number):
    """Let locks do nothing, as some network file systems do."""
    filelock.FileLock.acquire = lambda *_, **__: None
    filelock.FileLock.release = lambda *_, **__: None
    return together(family, number, all_tasks, rounds=2)


def unsupported_locks(family, number):
    """Let the system call say that this file system has no locks."""
    import fcntl

    def flock(*_):
        raise OSError(38, "Function not implemented")

    fcntl.flock = flock
    return together(family, number, all_tasks, rounds=2)


SCENARIOS = {
    "kills": (kills, [RECIPE]),
    "steps": (steps, [RECIPE]),
    "same": (lambda family, number: together(family, number, same), [RECIPE]),
    "tasks": (lambda family, number: together(family, number, all_tasks), RECIPES),
    "without_locks": (without_locks, RECIPES),
    "unsupported_locks": (unsupported_locks, RECIPES),
}


def main(scenario, root, number="0"):
    """Run a scenario and print what it found."""
    act, names = SCENARIOS[scenario]
    sys.stdout.write(json.dumps(act(Family(Path(root), names), int(number))))


if __name__ == "__main__":
    main(*sys.argv[1:])
