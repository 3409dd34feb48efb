"""The command that makes evidence: replicate."""

from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.commands import print_json
from mnistrobust.errors import UsageError
from mnistrobust.options import BACKENDS, Data, Json, Offline, StoreDir, Workers


def replicate(
    seeds: Annotated[int, typer.Option(min=2, help="Worlds 1 to N; what is there is kept.")],
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    backend: Annotated[
        str, typer.Option(metavar="|".join(BACKENDS), help="Where worlds are made, by joblib.")
    ] = BACKENDS[0],
    worlds: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Finished worlds (default: by the store).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Evidence (default: the clone's own).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train and read worlds 1 to N, and write them as evidence."""
    from mnistrobust import data as images
    from mnistrobust import parallel, rendering, replicating
    from mnistrobust.making import Job
    from mnistrobust.store import open_store, write_whole
    from mnistrobust.verifying import find_clone

    replicating.start_backend(backend)
    clone, source = find_clone(), images.decide(data, offline=offline)
    target = output or clone / "mnistrobust" / "evidence" / f"{source.name}.json"
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise UsageError(f"--output {target}: no file in an existing folder; make it first.")
    root = worlds or open_store(store).root.parent / "worlds"
    folder = replicating.worlds_folder(root.absolute(), source, clone)
    rendering.note(f"data: {source}")
    rendering.note(f"worlds: {folder}")
    jobs = [
        Job(
            seed=seed,
            source=source,
            clone=clone,
            folder=folder / "unfinished" / f"world-{seed:04}",
        )
        for seed in range(1, seeds + 1)
    ]
    with rendering.worlds_progress() as finished:
        made = replicating.replicate(
            jobs,
            workers=workers or parallel.worker_count(seeds),
            backend=backend,
            finished=finished,
        )
    found = replicating.evidence_of(jobs, len(images.load(source).test_labels))
    write_whole(target, found.to_json().encode())
    facts = {"evidence": str(target), "dataset": source.name, "worlds": seeds, "made_now": made}
    print_json(facts) if as_json else rendering.print_mapping(facts)
