"""One contestant's process: prepares, then runs as many epochs as each line of input says.

It answers in lines of JSON: notes, `ready` with what the start took, and a measurement for each
run. The end of its input ends it.
"""

import importlib
import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Read the job from the first line of input, and answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - libraries print what nobody reads
        os.dup2(nowhere.fileno(), 1)

    def tell(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    job = json.loads(sys.stdin.readline())
    start = time.perf_counter()
    run = importlib.import_module(job["module"]).prepare(job, lambda text: tell(note=text))
    facts = {"start_seconds": time.perf_counter() - start}
    if job["warm_up"]:
        first, second = (_timed(run, 1)["seconds"] for _ in range(2))
        facts |= {"compile_seconds": max(0.0, first - second), "epoch_seconds": second}
    tell(ready=True, **facts)
    for line in sys.stdin:
        tell(**_timed(run, int(line)))


def _timed(run: Any, epochs: int) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = run(epochs) or {}
    used = time.process_time() - cpu
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": used, **found}


if __name__ == "__main__":
    main()
