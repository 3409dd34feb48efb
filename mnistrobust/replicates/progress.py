"""The progress of several processes with trainings and evaluations, on a shared board of files."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Snapshot:
    """The board at one time.

    `fraction` is the share of work done, `running` has texts like `training rnn 4/10`, `left` are
    seconds (None while nothing has been measured), and `waiting` says for what other processes the
    run waits.
    """

    done: int
    total: int
    fraction: float
    running: tuple[str, ...]
    left: float | None
    waiting: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for the user."""
        doing = "; ".join(filter(None, (", ".join(self.running), *self.waiting)))
        done = f"{self.done} of {self.total} done"
        parts = (doing or "compiling or evaluating", done, time_left(self.left))
        return " · ".join(filter(None, parts))


def time_left(seconds: float | None) -> str:
    """Say how long something will take; nothing where that is unknown."""
    if seconds is None:
        return ""
    units = (("h", 3600, 6000, 1), ("min", 60, 100, 0), ("s", 1, 0, 0))
    unit, length, _, digits = next(each for each in units if seconds >= each[2])
    return f"about {seconds / length:.{digits}f} {unit} left"


@dataclass(frozen=True)
class Board:
    """A run's folder in which each process writes what it is doing; it may be lost."""

    folder: Path

    def plan(self, costs: dict[str, tuple[str, float]]) -> None:
        """Announce the work to do, with kind and expected cost; the same work counts once.

        Costs of a kind compare in any unit. Those of two kinds do until both are measured.
        """
        work = hashlib.sha256("".join(sorted(costs)).encode()).hexdigest()
        path = self.folder / f"{work[:16]}.plan"
        if not path.exists():
            self._write(path, costs)

    def report(self, name: str, done: int, total: int, doing: str = "training") -> None:
        """Report that this process has finished `done` of `total` epochs, or networks, of `name`."""
        path, now = self.folder / f"{os.getpid()}.process", time.time()
        before = self._read(path) if done else None
        began = before[-2] if before and before[0] == name else now
        self._write(path, [name, done, total, doing, began, now])

    def wait(self, text: str) -> None:
        """Report for what this process waits."""
        self._write(self.folder / f"{os.getpid()}.waiting", text)

    def finish(self, name: str) -> None:
        """Report that `name` is done."""
        path = self.folder / f"{os.getpid()}.process"
        before = self._read(path)
        timed = before and before[0] == name  # else only evaluations were missing
        self._write(self.folder / f"{name}.done", time.time() - before[-2] if timed else 0.0)
        path.unlink(missing_ok=True)

    def look(self) -> Snapshot | None:
        """Return the state of the work; None if there is nothing to train."""
        costs = {
            name: cost
            for path in self.folder.glob("*.plan")
            for name, cost in (self._read(path) or {}).items()
        }
        if not costs:
            return None
        finished = {path.stem: self._read(path) or 0.0 for path in self.folder.glob("*.done")}
        spans = [(*costs[name], took) for name, took in finished.items() if name in costs]
        share = {name: float(name not in finished) for name in costs}
        idle, running = dict.fromkeys(costs, 0.0), []
        for path in sorted(self.folder.glob("*.process")):
            state = self._read(path)
            if state and share.get(state[0]):
                name, done, total, doing, began, last = state
                of = f" {done}/{total}" if done < total else ""
                running.append(f"{doing if of else 'evaluating'} {name}{of}")
                share[name], idle[name] = 1 - done / total, time.time() - last
                spans.append((costs[name][0], costs[name][1] * done / total, last - began))
        spans = [span for span in spans if span[2] > 0]

        def pace(kind: str) -> float:
            """Return the seconds for a cost of 1; for a kind that nothing is known of, of all kinds."""
            every = [span[1:] for span in spans] or [(1.0, 1.0)]
            known = [span[1:] for span in spans if span[0] == kind] or every
            return float(sum(took for _, took in known) / sum(cost for cost, _ in known))

        whole = {name: cost * pace(kind) for name, (kind, cost) in costs.items()}
        left = {name: whole[name] * share[name] for name in costs}
        due = [max(0.0, left[name] - idle[name]) for name in costs]
        return Snapshot(
            len(finished.keys() & costs.keys()),
            len(costs),
            1 - sum(left.values()) / sum(whole.values()),
            tuple(running),
            max(*due, sum(due) / max(1, len(running))) if spans else None,
            tuple(dict.fromkeys(filter(None, map(self._read, self.folder.glob("*.waiting"))))),
        )

    @staticmethod
    def _write(path: Path, value: object) -> None:
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):  # progress is a courtesy: a full disk stops no training
            temporary.write_text(json.dumps(value))
            temporary.replace(path)

    @staticmethod
    def _read(path: Path) -> Any:
        with suppress(OSError, ValueError):
            return json.loads(path.read_text())
        return None


@contextmanager
def repeated(act: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call `act` every so many seconds, in a thread, until the block ends."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
