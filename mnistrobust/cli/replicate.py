"""The command that makes evidence: replicate."""

from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.cli.commands import check_file, print_facts, write_file
from mnistrobust.cli.options import MOST_SEEDS, Data, Json, Offline, Scheduler, StoreDir, Workers
from mnistrobust.errors import UsageError


def replicate(
    seeds: Annotated[
        int,
        typer.Option(
            min=2, max=MOST_SEEDS, metavar="N", help="Make seeds 1 to N; finished ones stay."
        ),
    ],
    backend: Annotated[
        str, typer.Option(metavar="threading|dask", help="What makes the seeds.")
    ] = "threading",
    scheduler: Scheduler = None,
    replicates: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Finished seeds (default: by the store).")
    ] = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Evidence file (default: the clone's own).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train and evaluate seeds 1 to N, and write evidence."""
    from mnistrobust import data as images
    from mnistrobust.replicates import many, schedule
    from mnistrobust.report import console
    from mnistrobust.store import open_store
    from mnistrobust.suite import find_clone, find_suite

    many.check_backend(backend, scheduler)
    if scheduler and workers:
        raise UsageError(
            f"--workers {workers}: leave it out with --backend dask, whose workers you start yourself."
        )
    committed = None if output else find_clone("replicate without --output")
    source = images.decide(data, offline=offline)
    target = output or Path(f"{committed}/mnistrobust/evidence/{source.name}.json")
    check_file("--output", target)
    root = replicates or open_store(store).root.parent / "replicates"
    folder = many.replicates_folder(root.absolute(), source)
    console.note(f"data: {source}")
    console.note(f"seeds: {folder}")
    jobs = [
        many.Job(
            seed=seed,
            source=source,
            clone=find_suite(),
            folder=folder / "unfinished" / f"seed-{seed:04}",
        )
        for seed in range(1, seeds + 1)
    ]
    with console.replicates_progress() as finished:
        made = many.replicate(
            jobs,
            workers=workers or schedule.worker_count(seeds),
            backend=backend,
            scheduler=scheduler,
            finished=finished,
        )
    found = many.evidence_of(jobs, len(images.load(source).test_labels))
    write_file("--output", target, found.to_json())
    facts = {"evidence": str(target), "dataset": source.name, "replicates": seeds, "made_now": made}
    print_facts(facts, as_json)
