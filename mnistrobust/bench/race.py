"""Contestants side by side: each waits in processes of its own until it is its turn."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mnistrobust.bench.contestants import Contestant, Note
from mnistrobust.errors import MnistRobustError

_END_SECONDS = 5.0


class Team:
    """The processes of one contestant, started and warm."""

    def __init__(
        self, contestant: Contestant, job: Mapping[str, Any], cores: int, note: Note
    ) -> None:
        """Start the processes and wait until all of them are ready to train."""
        self.contestant = contestant
        self.size = 1 if contestant.whole_machine else cores
        self._note = note
        self._errors = [tempfile.TemporaryFile("w+") for _ in range(self.size)]  # noqa: SIM115
        command = [sys.executable, "-m", "mnistrobust.bench.child"]
        self._processes = [
            subprocess.Popen(  # noqa: S603
                command,
                env=contestant.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            for errors in self._errors
        ]
        facts = {"module": contestant.module, "noisy": contestant.noisy, "warm_up": True, **job}
        try:
            self._tell(json.dumps(facts))
            self.start = self._answers()
        except BaseException:
            self.close()
            raise

    def run(self, epochs: int) -> dict[str, Any]:
        """Let all processes train at once; return the slowest's seconds and the cores in use.

        Whatever else the first process measured is in the result as well.
        """
        self._tell(str(epochs))
        answers = self._answers()
        seconds = max(each["seconds"] for each in answers)
        cores = sum(each.pop("cpu_seconds") for each in answers) / seconds
        return {**answers[0], "seconds": seconds, "cores_used": cores}

    def epochs_for(self, seconds: float) -> int:
        """Return how many epochs take about that long, at the rate of the warm-up."""
        slowest: float = max(each["epoch_seconds"] for each in self.start)
        return max(1, math.ceil(seconds / max(slowest, 1e-9)))

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            if process.stdin:
                process.stdin.close()
        for process, errors in zip(self._processes, self._errors, strict=True):
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
            errors.close()

    def _tell(self, line: str) -> None:
        for process in self._processes:
            if process.stdin and process.poll() is None:
                process.stdin.write(line + "\n")
                process.stdin.flush()

    def _answers(self) -> list[dict[str, Any]]:
        return [self._answer(number) for number in range(self.size)]

    def _answer(self, number: int) -> dict[str, Any]:
        """Wait for a process's measurement; pass on what the first one notes meanwhile."""
        output = self._processes[number].stdout
        for line in output or ():
            answer: dict[str, Any] = json.loads(line)
            if "note" not in answer:
                return answer
            if number == 0:
                self._note(answer["note"])
        self._errors[number].seek(0)
        lines = self._errors[number].read().strip().splitlines()
        reason = lines[-1] if lines else f"exit code {self._processes[number].wait(_END_SECONDS)}"
        raise MnistRobustError(f"{self.contestant.title} ended in the benchmark: {reason}")


@contextmanager
def teams(
    contestants: Sequence[Contestant], job: Mapping[str, Any], cores: int, note: Note
) -> Iterator[list[Team]]:
    """Start teams one after the other, so that each compiles undisturbed; end them all."""
    ready: list[Team] = []
    try:
        for contestant in contestants:
            note(f"starting {contestant.title}")
            ready.append(Team(contestant, job, cores, note))
        yield ready
    finally:
        for team in ready:
            team.close()


def race(
    ready: Sequence[Team], epochs: Sequence[int], repeats: int, note: Note
) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield for each repeat what every contestant measured, each in its turn."""
    for repeat in range(1, repeats + 1):
        found = {}
        for team, count in zip(ready, epochs, strict=True):
            found[team.contestant.name] = team.run(count)
            seconds = found[team.contestant.name]["seconds"]
            note(f"repeat {repeat} of {repeats}: {team.contestant.title} {seconds:.2f} s")
        yield found
