"""The command that measures the claims at other doses: curves."""

from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.cli.commands import check_file, print_facts, write_file
from mnistrobust.cli.options import MOST_SEEDS, Data, Json, Offline, StoreDir, Workers
from mnistrobust.errors import UsageError


def curves(
    seeds: Annotated[
        int, typer.Option(min=2, max=MOST_SEEDS, metavar="N", help="Measure seeds 1 to N.")
    ] = 8,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Curves file (default: the clone's own).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure each claim at other doses, and write its curves.

    Finished networks stay in the store: run the same command again to continue.
    """
    from mnistrobust import data as images
    from mnistrobust.curves import jobs
    from mnistrobust.replicates.schedule import worker_count
    from mnistrobust.report import console
    from mnistrobust.store import open_store
    from mnistrobust.suite import find_clone

    clone = None if output else find_clone("curves without --output")
    target = output or Path(f"{clone}/mnistrobust/evidence/curves.json")
    check_file("--output", target)
    source = images.decide(data, offline=offline)
    console.note(f"data: {source}")
    if clone and source.name != "mnist":
        raise UsageError(
            f"curves on {source.name}: the clone's own are of full MNIST; name another file with --output."
        )
    named = "" if source.name == "mnist" else f" --data {source.name}"
    with console.replicates_progress("measurements") as finished:
        found = jobs.curves(
            jobs.jobs(range(1, seeds + 1), len(images.load(source).train_labels)),
            source,
            open_store(store),
            workers=workers or worker_count(),
            command=f"mnistrobust curves --seeds {seeds}{named}",
            finished=finished,
        )
    write_file("--output", target, found.to_json())
    facts = {"curves": str(target), "dataset": source.name, "seeds": seeds}
    print_facts({**facts, "drawn": len(found.curves)}, as_json)
