"""Replicates and networks on the workers of a Dask scheduler, which share no folder with us.

Each worker has this package, the data set and a scratch folder of its own. One whose code, packages
or data differ is refused by name. What a lost worker was making is made again by another.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistrobust.data import Source, decide
from mnistrobust.errors import MnistRobustError, UsageError, say
from mnistrobust.replicates.keys import code_digests, surroundings, versions
from mnistrobust.replicates.replicate import Replicate
from mnistrobust.store import Store

if TYPE_CHECKING:
    from distributed import Client, Future

Make = Callable[[int, Source, Path], tuple[Any, Exception | None]]  # of a seed, in a folder
Result = tuple[int, Any, Exception | None]

LOSSES = 3  # how often a seed's worker may be lost: a seed may be what kills it
_ANSWER_SECONDS = 10.0
_NO_WORKER_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_ALIVE = ("executing", "long-running")  # Dask's words for a task that is wanted


def connect(address: str) -> "Client":
    """Return a client of the scheduler; UsageError without Dask or an answer."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--backend dask: it is not installed; run: pip install 'mnistrobust[dask]'"
        ) from error
    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"--scheduler {address}: no Dask scheduler answers there ({type(error).__name__}). Start "
            f"one with 'dask scheduler', and workers with 'dask worker ADDRESS --nthreads 1'."
        ) from error


def replicates(
    seeds: Sequence[int], source: Source, client: "Client", make: Make
) -> Iterator[Result]:
    """Yield each seed with its results or its error, as they end; UsageError without a fit worker."""
    left, losses, workers = list(seeds), dict.fromkeys(seeds, 0), _Workers(client, source)
    running: dict[int, tuple[str, Future]] = {}
    try:
        while left or running:
            alive = workers.look(busy=bool(running))
            for seed, (address, future) in list(running.items()):
                if future.done():
                    del running[seed]
                    yield (seed, *_result(seed, future))
                elif address not in alive:
                    del running[seed]
                    future.cancel()
                    losses[seed] += 1
                    say(f"Worker {address} is gone: another makes seed {seed}.")
                    if losses[seed] == LOSSES:
                        lost = f"Seed {seed}: {LOSSES} workers ended while they made it."
                        yield seed, None, MnistRobustError(lost)
                    else:
                        left.insert(0, seed)
            for address in workers.free([address for address, _ in running.values()]):
                if left:
                    seed = left.pop(0)
                    future = client.submit(
                        _made, seed, source.name, make, workers=[address], pure=False
                    )
                    running[seed] = address, future
            time.sleep(_LOOK_SECONDS)
    finally:
        for _, future in running.values():
            future.cancel()


def networks(
    recipes: Sequence[str],
    seeds: Sequence[int],
    source: Source,
    store: Store,
    scheduler: str,
    tell: Callable[[str, float], None],
) -> None:
    """Train what the store lacks of the recipes' networks on a scheduler's workers, and keep it."""

    def missing(seed: int) -> list[str]:
        of_seed = Replicate(seed, source, store)
        return [name for name in recipes if not store.has(of_seed.model_key(name))]

    left = [seed for seed in seeds if missing(seed)]
    if not left:
        return
    train = partial(_trained, recipes={seed: missing(seed) for seed in left})
    with connect(scheduler) as client:
        tell(f"seeds to train by {scheduler}: {len(left)}", 0.0)
        results = replicates(left, source, client, train)
        for done, (seed, entries, error) in enumerate(results, 1):
            if error:
                raise error
            of_seed = Replicate(seed, source, store)
            for name, entry in entries.items():
                store.put(of_seed.model_key(name), entry)
            tell(f"{done} of {len(left)} seeds trained by {scheduler}", done / len(left))


class _Workers:
    """The scheduler's workers: which are there, and which have our code and data."""

    def __init__(self, client: "Client", source: Source) -> None:
        self._client, self._source = client, source
        self._wanted = facts(source)
        self._threads: dict[str, int] = {}
        self._asked: dict[str, Future] = {}
        self._unfit: dict[str, str] = {}  # why not, or "" for one that is fit
        self._since = time.monotonic()

    def look(self, *, busy: bool) -> set[str]:
        """Ask new workers for their facts; return the addresses of all that are there."""
        found = self._client.scheduler_info(n_workers=-1)["workers"]
        self._threads = {address: worker["nthreads"] for address, worker in found.items()}
        for address in found.keys() - self._asked.keys():
            self._asked[address] = self._client.submit(
                _facts_there, self._source.name, workers=[address], pure=False
            )
        for address, future in self._asked.items():
            if address not in self._unfit and future.done():
                reason = self._unfit[address] = self._difference(future)
                at_a_time = f": {self._threads.get(address, 0)} seeds at a time"
                say(f"Worker {address}{f' is refused: {reason}' if reason else at_a_time}.")
        self._check(busy=busy)
        return set(found)

    def free(self, busy: Sequence[str]) -> list[str]:
        """Return the addresses that may take a seed, once for each."""
        return [
            address
            for address, threads in self._threads.items()
            if self._unfit.get(address) == ""
            for _ in range(threads - busy.count(address))
        ]

    def _difference(self, future: "Future") -> str:
        if future.status != "finished":
            return str(future.exception()) or future.status
        theirs = future.result()
        if isinstance(theirs, str):
            return theirs
        pairs = {name: (theirs.get(name), self._wanted.get(name)) for name in theirs | self._wanted}
        return "; ".join(
            f"{name} {there or 'none'}, here {here or 'none'}"
            for name, (there, here) in pairs.items()
            if there != here
        )

    def _check(self, *, busy: bool) -> None:
        reasons = [self._unfit.get(address) for address in self._threads]
        if busy or "" in reasons:
            self._since = time.monotonic()
        elif reasons and all(reasons):
            raise UsageError("--scheduler: all its workers are refused: see above.")
        elif time.monotonic() - self._since > _NO_WORKER_SECONDS:
            raise UsageError(
                f"--scheduler: no worker for {_NO_WORKER_SECONDS:.0f} s; start some with "
                f"'dask worker ADDRESS --nthreads 1'."
            )


def facts(source: Source) -> dict[str, str]:
    """Return what figures depend on: data, packages, and digests of code and settings."""
    known = {"code": code_digests(), "settings": surroundings()}
    digests = {
        name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
        for name, value in known.items()
    }
    return {"data": source.digest[:12], **digests, **versions()}


def _result(seed: int, future: "Future") -> tuple[Any, Exception | None]:
    if future.status == "finished":
        made, error = future.result()
        return made, error
    return None, MnistRobustError(f"Seed {seed}: {future.exception() or future.status}")


def _own(name: str) -> Source:
    """Return a worker's own copy of a data set."""
    return decide(name if name == "mnist5k" else None, offline=True)


def _facts_there(name: str) -> dict[str, str] | str:
    try:
        return facts(_own(name))
    except MnistRobustError as error:
        return str(error)


def _trained(
    seed: int, source: Source, folder: Path, *, recipes: dict[int, list[str]]
) -> tuple[Any, Exception | None]:
    """Train a seed's recipes on a worker, in a process that can be ended; return their entries."""
    command = [sys.executable, "-m", "mnistrobust", "train", *recipes[seed], "--offline"]
    command += ["--seed", str(seed), "--data", source.path or source.name]
    command += ["--store", str(folder), "--workers", "1"]
    environment = {**os.environ, "LOKY_MAX_CPU_COUNT": "1"}
    ended = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["no output"]
        return None, MnistRobustError(f"Seed {seed}: exit code {ended.returncode} ({said[-1]}).")
    of_seed = Replicate(seed, source, Store(folder))
    return {name: of_seed.store.get(of_seed.model_key(name)) for name in recipes[seed]}, None


def _made(seed: int, name: str, make: Make) -> tuple[Any, Exception | None]:
    """Make a replicate on a worker, in its scratch folder."""
    from distributed import get_worker
    from distributed.worker import thread_state

    worker = get_worker()
    folder = Path(worker.local_directory) / f"mnistrobust-{seed:04}"
    watch = (worker, thread_state.key, folder)
    threading.Thread(target=_end_if_cancelled, args=watch, daemon=True).start()
    try:
        return make(seed, _own(name), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_if_cancelled(worker: Any, key: str, folder: Path) -> None:
    """End what runs in a folder once nobody waits for the task any more."""
    import psutil

    while (task := worker.state.tasks.get(key)) and task.state in _ALIVE:
        time.sleep(_LOOK_SECONDS)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # one that has ended
            if any(str(folder) in word for word in process.cmdline()):
                process.kill()
