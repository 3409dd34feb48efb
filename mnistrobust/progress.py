"""How far several processes have come with a list of trainings, on a shared board of files."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Snapshot:
    """One look at the board: `fraction` of the work done, `running` as `rnn 4/10`."""

    done: int
    total: int
    fraction: float
    running: tuple[str, ...]
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """The time left at the rate so far; None while too little is done to tell."""
        if self.fraction < 0.02:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction

    def __str__(self) -> str:
        """One line for the user."""
        left = self.seconds_left
        remaining = "estimating the time left" if left is None else f"about {left:.0f} s left"
        running = f"training {', '.join(self.running)}" if self.running else "compiling or reading"
        return f"{running} · {self.done} of {self.total} models done · {remaining}"


class Board:
    """A folder to which each process writes what it is doing. Losing it loses nothing else."""

    def __init__(self, folder: Path) -> None:
        """Use an existing folder, one for each run."""
        self.folder = folder

    def plan(self, costs: dict[str, float]) -> None:
        """Announce what is to be trained, by name, with its cost in any unit.

        Of several processes with the same work, the first counts; other work adds up.
        """
        names = "".join(sorted(costs))
        path = self.folder / f"{hashlib.sha256(names.encode()).hexdigest()[:16]}.plan"
        if not path.exists():
            self._write(path, {"started": time.time(), "costs": costs})

    def report(self, name: str, done: int, total: int) -> None:
        """Say that this process has finished `done` of the `total` epochs of `name`."""
        self._write(self.folder / f"{os.getpid()}.process", [name, done, total])

    def finish(self, name: str) -> None:
        """Say that `name` is trained and read."""
        self._write(self.folder / f"{name}.done", name)
        (self.folder / f"{os.getpid()}.process").unlink(missing_ok=True)

    def look(self) -> Snapshot | None:
        """Return the state of the work, or None where nothing is to be trained."""
        plans = [plan for path in self.folder.glob("*.plan") if (plan := self._read(path))]
        costs: dict[str, float] = {}
        for plan in plans:
            costs |= plan["costs"]
        if not costs:
            return None
        finished = {path.stem for path in self.folder.glob("*.done")} & costs.keys()
        spent = sum(costs[name] for name in finished)
        running = []
        for path in sorted(self.folder.glob("*.process")):
            state = self._read(path)
            if state and state[0] in costs and state[0] not in finished:
                name, done, total = state
                running.append(f"{name} {done}/{total}")
                spent += costs[name] * done / total
        return Snapshot(
            len(finished),
            len(costs),
            spent / sum(costs.values()),
            tuple(running),
            time.time() - min(plan["started"] for plan in plans),
        )

    @staticmethod
    def _write(path: Path, value: object) -> None:
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(value))
            temporary.replace(path)
        except OSError:
            pass  # progress is a courtesy: a full disk stops no training

    @staticmethod
    def _read(path: Path) -> Any:
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            return None
