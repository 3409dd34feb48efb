"""`mnistrobust replicate`: many replicates, each made by a process of its own.

Each finished replicate is one file, written atomically. A later run makes only the missing ones,
however the earlier run ended. A replicate whose process was killed keeps its finished networks.
"""

import contextlib
import hashlib
import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import llvmlite.binding

from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.evidence import MARGINS, Evidence, Head, Measured
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.files import parsed, regular, write_whole
from mnistrobust.registry import load_claims
from mnistrobust.replicates import cluster
from mnistrobust.replicates.keys import code_digests, surroundings, versions
from mnistrobust.suite import find_suite, placed, run_pytest

BACKENDS = ("threading", "dask")
ATTEMPTS = 2  # how often a replicate is tried whose process is killed


class ReplicateKilledError(MnistRobustError):
    """The process that made a replicate ended without a result."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One replicate to make: its seed, data set, clone, and a folder for unfinished work."""

    seed: int
    source: Source
    clone: Path
    folder: Path

    @property
    def file(self) -> Path:
        """The finished replicate."""
        return self.folder.parents[1] / f"seed-{self.seed:04}.json"


Make = Callable[[Job], str]  # returns the replicate's results as JSON
Finished = Callable[[int, int, float | None], None]  # takes replicates done, all, seconds left


def make_replicate(job: Job) -> str:
    """Train and evaluate a replicate with the claims' specs, on one core; return its results.

    Raises MnistRobustError where pytest ends without any, ReplicateKilledError where it is killed.
    """
    results, log = job.folder / "results.json", job.folder / "pytest.log"
    results.unlink(missing_ok=True)
    options = {
        "--seeds": f"{job.seed}-{job.seed}",
        "--data": job.source.path or job.source.name,
        "--store": str(job.folder / "store"),
        "--results": str(results),
        "--evidence": "none",
        "-n": "0",
        "-p": "no:cacheprovider",
        "-c": "pyproject.toml",
    }
    arguments = ["specs/claims", "--offline", *chain.from_iterable(options.items())]
    environment = {**placed(os.environ), "LOKY_MAX_CPU_COUNT": "1"}
    environment.pop("PYTEST_ADDOPTS", None)  # it may leave claims out
    with log.open("w", encoding="utf-8") as output:
        ended = run_pytest(arguments, job.clone, output=output, environment=environment, apart=True)
    if ended not in {0, 1} or not results.is_file():
        said = [f"exit code {ended}", *log.read_text("utf-8", "replace").strip().splitlines()]
        kind = ReplicateKilledError if ended < 0 else MnistRobustError
        reason = f"signal {-ended}" if ended < 0 else said[-1]
        raise kind(f"Seed {job.seed}: pytest ended without results ({reason}).")
    return results.read_text("utf-8")


# Vector instruction sets, widest first. Processors with other ones round differently.
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "neon": "NEON"}


def machine() -> str:
    """Describe this machine by processor, vectors, cores and system, without its host name."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line for line in lines if line.startswith("model name"))
        processor = model.partition(":")[2].strip()
    features = llvmlite.binding.get_host_cpu_features()
    processor += next((f", {name}" for key, name in _VECTORS.items() if features.get(key)), "")
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def replicates_folder(root: Path, source: Source) -> Path:
    """Return the folder for replicates of a data set that are made by the current code.

    Its name contains a digest of all that a figure depends on, so no stale replicate is counted.
    """
    facts = {"code": code_digests(), "versions": {**versions(), **surroundings()}}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return root / f"{source.name}-{source.digest[:12]}-{digest[:12]}"


def replicate(
    jobs: Sequence[Job],
    *,
    workers: int,
    backend: str = BACKENDS[0],
    scheduler: str | None = None,
    make: Make = make_replicate,
    finished: Finished = lambda *_: None,
) -> int:
    """Make the missing replicates in parallel, and return how many were made.

    If a process is killed, only its own replicate is lost, and it is made again. With the backend
    `dask`, the workers of the `scheduler` make them. Raises MnistRobustError if a spec fails in a
    replicate, and UsageError if a backend is unknown or cannot be used.
    """
    check_backend(backend, scheduler)
    made, started = 0, time.monotonic()
    left = [job for job in jobs if stored(job) is None]
    for attempt in range(ATTEMPTS):
        finished(len(jobs) - len(left), len(jobs), None)
        now = [*left]
        attempts = _there(now, scheduler, make) if scheduler else _attempts(now, workers, make)
        for job, text, error in attempts:
            if isinstance(error, ReplicateKilledError) and attempt < ATTEMPTS - 1:
                continue
            if error:
                raise error
            _checked(job, text)
            write_whole(job.file, text.encode())
            shutil.rmtree(job.folder, ignore_errors=True)
            left.remove(job)
            made += 1
            rounds = math.ceil(made / workers)
            all_rounds = math.ceil((made + len(left)) / workers)
            seconds = (time.monotonic() - started) * (all_rounds - rounds) / rounds
            finished(len(jobs) - len(left), len(jobs), seconds)
    if killed := [str(job.seed) for job in left if stored(job) is None]:
        raise MnistRobustError(
            f"The processes of the seeds {', '.join(killed)} were killed: run the same command "
            f"to continue."
        )
    return made


def check_backend(
    backend: str | None, scheduler: str | None, known: Sequence[str] = BACKENDS
) -> None:
    """Raise UsageError for an unknown backend, and for a scheduler that it does not use."""
    if backend and backend not in known:
        raise UsageError(f"--backend {backend}: expected one of {', '.join(known)}.")
    if scheduler and backend != "dask":
        raise UsageError(f"--scheduler {scheduler}: it is for --backend dask.")
    if backend == "dask" and not scheduler:
        raise UsageError(
            "--backend dask: name the scheduler with --scheduler, as tcp://10.0.0.1:8786."
        )


def stored(job: Job) -> tuple[str, Results] | None:
    """Return a finished replicate's machine and results; None if its file is missing or damaged."""
    try:
        return _checked(job, regular(job.file).read_text("utf-8"))
    except (OSError, ValueError, MnistRobustError):
        return None


def evidence_of(jobs: Sequence[Job], images: int) -> Evidence:
    """Join finished replicates into evidence; `images` is the number of held-out images.

    Raises MnistRobustError for one that is not whole.
    """
    finished = [_checked(job, regular(job.file).read_text("utf-8")) for job in jobs]
    source = jobs[0].source
    replicates = [{each.id: each for each in results.outcomes} for _, results in finished]
    data = "" if source.name == "mnist" else f" --data {source.name}"
    head = Head(
        dataset=source.name,
        digest=source.digest,
        images=images,
        command=f"mnistrobust replicate --seeds {len(jobs)}{data}",
        versions=versions(),
        machines=tuple(sorted({kind for kind, _ in finished})),
        code=code_digests(),
    )
    measured = {
        claim: _measured([outcomes[claim] for outcomes in replicates]) for claim in load_claims()
    }
    return Evidence(head=head, seeds=tuple(job.seed for job in jobs), claims=measured)


def _attempts(
    jobs: Sequence[Job], workers: int, make: Make
) -> Iterator[tuple[Job, str, Exception | None]]:
    """Yield each job with its replicate or its error, in the order in which jobs end."""
    import joblib

    parallel = joblib.Parallel(workers, "threading", return_as="generator_unordered")
    yield from parallel(joblib.delayed(_attempt)(job, make) for job in jobs)


def _there(
    jobs: Sequence[Job], scheduler: str, make: Make
) -> Iterator[tuple[Job, str, Exception | None]]:
    if not jobs:
        return
    by_seed, on_worker = {job.seed: job for job in jobs}, partial(_attempt_there, make=make)
    with cluster.connect(scheduler) as client:
        for seed, text, error in cluster.replicates([*by_seed], jobs[0].source, client, on_worker):
            yield by_seed[seed], text, error


def _attempt_there(
    seed: int, source: Source, folder: Path, make: Make
) -> tuple[str, Exception | None]:
    job = Job(seed=seed, source=source, clone=find_suite(), folder=folder)
    return _attempt(job, make)[1:]


def _attempt(job: Job, make: Make) -> tuple[Job, str, Exception | None]:
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        return job, json.dumps({"machine": machine(), "results": json.loads(make(job))}), None
    except (MnistRobustError, OSError, ValueError) as error:
        return job, "", error


def _checked(job: Job, text: str) -> tuple[str, Results]:
    """Return machine and results; MnistRobustError if they are not the whole replicate."""
    try:
        found = parsed(text)
        kind, results = found["machine"], Results.from_json(json.dumps(found["results"]))
    except (ValueError, KeyError, TypeError) as error:
        raise MnistRobustError(f"Seed {job.seed}: damaged results ({error}).") from error
    failed = next((each for each in results.outcomes if each.error), None)
    if failed:
        raise MnistRobustError(f"Seed {job.seed}: {failed.id} failed: {failed.error}")
    if missing := load_claims().keys() - {each.id for each in results.outcomes}:
        raise MnistRobustError(f"Seed {job.seed}: some claims did not run, such as {min(missing)}.")
    if (results.seeds, results.source.digest) != ((job.seed,), job.source.digest):
        raise MnistRobustError(f"Seed {job.seed}: results of another seed.")
    return kind, results


def _measured(replicates: Sequence[Outcome]) -> Measured:
    first = replicates[0]
    return Measured(
        figures={name: tuple(each.figures[name] for each in replicates) for name in first.figures},
        margins={name: tuple(getattr(each, name) for each in replicates) for name in MARGINS}
        if first.margin is not None
        else {},
        draws={name: tuple(tuple(each.draws[name]) for each in replicates) for name in first.draws},
    )
