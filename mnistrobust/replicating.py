"""`mnistrobust replicate`: many worlds, each trained and read by a process of its own.

A finished world is a file that appears whole, so that runs add up: what is there is not made
again, whatever ended the run before. A world that was killed keeps the networks that it has.
"""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from mnistrobust import code
from mnistrobust.claims import load_claims
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.evidence import MARGINS, Evidence, Head, Measured
from mnistrobust.keys import code_digests, versions
from mnistrobust.ledger import Outcome, Results
from mnistrobust.making import Job, WorldKilledError, machine, make_world
from mnistrobust.options import BACKENDS
from mnistrobust.store import write_whole

ATTEMPTS = 2  # at a world whose process was killed
_READS = ("readings", "metrics", "words")  # what figures and margins are computed by
Make = Callable[[Job], str]  # returns the world's results as JSON
Finished = Callable[[int, int, float | None], None]  # worlds done, of how many, seconds left


def worlds_folder(root: Path, source: Source, clone: Path) -> Path:
    """Return the folder for worlds of a data set, as the code of today makes them.

    Its name changes with everything that a figure depends on, so that no stale world is counted.
    """
    specs = sorted((clone / "specs" / "claims").glob("*.py"))
    facts = {
        "code": code_digests(),
        "reads": [code.digest(f"mnistrobust.{name}") for name in _READS],
        "specs": {path.name: code.digest_of_file(path) for path in specs},
        "versions": versions(),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return root / f"{source.name}-{source.digest[:12]}-{digest[:12]}"


def replicate(
    jobs: Sequence[Job],
    *,
    workers: int,
    backend: str = BACKENDS[0],
    make: Make = make_world,
    finished: Finished = lambda *_: None,
) -> int:
    """Make the worlds that are missing, side by side, and return how many there were.

    A killed process loses its own world only, which is made again. Raises MnistRobustError for
    a world with a failed spec, and UsageError for a backend that is not installed.
    """
    start_backend(backend)
    made, started = 0, time.monotonic()
    for attempt in range(ATTEMPTS):
        left = [job for job in jobs if stored(job) is None]
        finished(len(jobs) - len(left), len(jobs), None)
        for job, text, error in _attempts(left, workers, backend, make):
            if error and (not isinstance(error, WorldKilledError) or attempt == ATTEMPTS - 1):
                raise error
            if text is None:
                continue
            _check(job, text)
            write_whole(_file(job), text.encode())
            shutil.rmtree(job.folder, ignore_errors=True)
            made += 1
            missing = sum(not _file(each).is_file() for each in jobs)
            seconds = (time.monotonic() - started) * missing / made
            finished(len(jobs) - missing, len(jobs), seconds)
    killed = [str(job.seed) for job in jobs if stored(job) is None]
    if killed:
        raise MnistRobustError(
            f"The processes of the worlds {', '.join(killed)} were killed: run the same command "
            f"to go on."
        )
    return made


def start_backend(backend: str) -> None:
    """Make a distributed engine known to joblib; UsageError where it is not installed.

    Its workers need this clone and the folder of worlds under the same paths. Dask is reached by
    `DASK_SCHEDULER_ADDRESS`, or started on this machine.
    """
    if backend not in BACKENDS:
        raise UsageError(f"--backend {backend}: expected one of {', '.join(BACKENDS)}.")
    try:
        if backend == "dask":
            from distributed import Client

            Client()
        elif backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
    except ImportError as error:
        package = {"dask": "dask[distributed]", "ray": "ray"}[backend]
        raise UsageError(
            f"--backend {backend}: it is not installed; run: pip install '{package}'"
        ) from error


def stored(job: Job) -> dict[str, Any] | None:
    """Return a finished world's file; None where there is none, or none that is sound."""
    try:
        text = _file(job).read_text("utf-8")
        _check(job, text)
    except (OSError, MnistRobustError):
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def evidence_of(jobs: Sequence[Job], images: int) -> Evidence:
    """Join finished worlds into evidence; `images` is the number of held-out images.

    Raises MnistRobustError where they have different claims.
    """
    worlds = [found for job in jobs if (found := stored(job)) is not None]
    source = jobs[0].source
    outcomes = [_outcomes(each["results"]) for each in worlds]
    for job, world in zip(jobs, outcomes, strict=True):
        if world.keys() != outcomes[0].keys():
            raise MnistRobustError(
                f"World {job.seed} has other claims than world {jobs[0].seed}: remove "
                f"{_file(job)} and run the same command."
            )
    data = "" if source.name == "mnist" else f" --data {source.name}"
    head = Head(
        dataset=source.name,
        digest=source.digest,
        images=images,
        command=f"mnistrobust replicate --seeds {len(jobs)}{data}",
        versions=versions(),
        machines=tuple(sorted({each["machine"] for each in worlds})),
        code=code_digests(),
    )
    measured = {
        claim: _measured([world[claim] for world in outcomes])
        for claim in load_claims()
        if claim in outcomes[0]
    }
    return Evidence(head=head, seeds=tuple(job.seed for job in jobs), claims=measured)


def _attempts(
    jobs: Sequence[Job], workers: int, backend: str, make: Make
) -> Iterator[tuple[Job, str | None, Exception | None]]:
    """Yield each job with its world, or with what went wrong, in the order they end in."""
    import joblib

    with joblib.parallel_config(backend=backend, n_jobs=workers):
        calls = (joblib.delayed(_attempt)(job, make) for job in jobs)
        # Of a worker that was killed, the next attempt takes what it left.
        with contextlib.suppress(BrokenProcessPool):
            yield from joblib.Parallel(return_as="generator_unordered")(calls)


def _attempt(job: Job, make: Make) -> tuple[Job, str | None, Exception | None]:
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        return job, json.dumps({"machine": machine(), "results": json.loads(make(job))}), None
    except (MnistRobustError, OSError, ValueError) as error:
        return job, None, error


def _check(job: Job, text: str) -> None:
    """Raise MnistRobustError where a file is not the whole world of the job."""
    try:
        results = Results.from_json(json.dumps(json.loads(text)["results"]))
    except (ValueError, KeyError, TypeError) as error:
        raise MnistRobustError(f"World {job.seed}: damaged results ({error}).") from error
    if not results.outcomes:
        raise MnistRobustError(f"World {job.seed}: no claim was read.")
    failed = next((each for each in results.outcomes if each.error), None)
    if failed:
        raise MnistRobustError(f"World {job.seed}: {failed.id} failed: {failed.error}")
    if (results.seeds, results.source.digest) != ((job.seed,), job.source.digest):
        raise MnistRobustError(f"World {job.seed}: results of another world.")


def _file(job: Job) -> Path:
    return job.folder.parents[1] / f"world-{job.seed:04}.json"


def _outcomes(results: dict[str, Any]) -> dict[str, Outcome]:
    return {each.id: each for each in Results.from_json(json.dumps(results)).outcomes}


def _measured(worlds: Sequence[Outcome]) -> Measured:
    first = worlds[0]
    return Measured(
        figures={name: tuple(each.figures[name] for each in worlds) for name in first.figures},
        margins={name: tuple(getattr(each, name) for each in worlds) for name in MARGINS}
        if first.margin is not None
        else {},
        draws={name: tuple(tuple(each.draws[name]) for each in worlds) for name in first.draws},
        alternatives={
            name: _measured([each.alternatives[name] for each in worlds])
            for name in first.alternatives
        },
    )
