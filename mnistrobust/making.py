"""One world, trained and read by a process of its own."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError

# Ends pytest with the process that started it, which holds the other end of its standard input.
_LEASH = """
import os, runpy, sys, threading
end = os.dup(0)
def leash():
    os.read(end, 1)
    os._exit(1)
threading.Thread(target=leash, daemon=True).start()
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""


class WorldKilledError(MnistRobustError):
    """The process that made a world ended without a result."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One world to make: its seed, its images, and a folder for what is unfinished."""

    seed: int
    source: Source
    clone: Path
    folder: Path


def make_world(job: Job) -> str:
    """Train and read a world with the claims' specs of a clone, on one core.

    Raises MnistRobustError that names the world and a spec that failed, and WorldKilledError
    where the process was killed.
    """
    results = job.folder / "results.json"
    results.unlink(missing_ok=True)
    options = {
        "--seeds": f"{job.seed}-{job.seed}",
        "--data": job.source.path or job.source.name,
        "--store": str(job.folder / "store"),
        "--results": str(results),
        "--evidence": "none",
        "-n": "0",
        "-p": "no:cacheprovider",
    }
    words = [word for pair in options.items() for word in pair]
    flags = ["--offline", "--alternatives"]
    command = [sys.executable, "-c", _LEASH, str(Path("specs") / "claims"), *flags, *words]
    with (job.folder / "pytest.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=job.clone,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LOKY_MAX_CPU_COUNT": "1"},
            start_new_session=True,  # Ctrl-C ends this process, and the leash that one
        )
        with process:
            try:
                ended = process.wait()
            except BaseException:
                process.kill()
                raise
    if ended not in {0, 1} or not results.is_file():
        last = (job.folder / "pytest.log").read_text("utf-8", "replace").strip().splitlines()
        kind = WorldKilledError if ended < 0 else MnistRobustError
        reason = f"signal {-ended}" if ended < 0 else (last[-1] if last else f"exit code {ended}")
        raise kind(f"World {job.seed}: pytest ended without results ({reason}).")
    return results.read_text("utf-8")


def machine() -> str:
    """Name this kind of machine: processor, cores, and operating system; no name of its own."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def processor() -> str:
    """Return the processor's model, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
