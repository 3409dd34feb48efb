"""The command `sweep`: models against the doses of perturbations."""

from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.cli import options
from mnistrobust.cli.commands import check_file, decided, print_result, write_file


def sweep(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="Recipes, or models as for `check`.",
            autocompletion=options.complete_recipe,
        ),
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|NAME:LAST",
            help="A perturbation, at 10 doses to its last severity, or to LAST (rotate:-60); may be "
            "repeated (default: all of ours at their five severities).",
        ),
    ] = None,
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=options.MOST_SEEDS,
            metavar="K",
            help="Train K networks of each recipe: seeds 1 to K.",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the curves, all models on one axis.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a row for each network and dose.")
    ] = None,
    arch: options.Arch = None,
    trust: options.Trust = False,
    seconds: options.Seconds = None,
    backend: options.Backend = None,
    scheduler: options.Scheduler = None,
    data: options.Data = None,
    offline: options.Offline = False,
    store: options.StoreDir = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Measure models against the doses of perturbations.

    Accuracy, confidence and loss at each dose, and the dose that halves the accuracy.
    """
    from mnistrobust.perturbations import PERTURBATIONS
    from mnistrobust.replicates.many import check_backend
    from mnistrobust.report.console import note
    from mnistrobust.store import open_store
    from mnistrobust.sweeps import text
    from mnistrobust.sweeps.curves import ladder
    from mnistrobust.sweeps.sweep import sweep as swept

    ours = [name for name in PERTURBATIONS if ":" not in name]
    ladders = [ladder(name, fine=bool(over)) for name in over or ours]
    check_backend(backend, scheduler, ("dask",))
    check_file("--picture", picture, picture=True)
    check_file("--csv", csv)
    result = swept(
        {name: name for name in models},
        ladders,
        decided(data, offline, model=True),
        open_store(store),
        seed=seed,
        networks=seeds,
        workers=workers,
        arch=arch,
        trust=trust,
        seconds=seconds,
        scheduler=scheduler,
    )
    if csv:
        write_file("--csv", csv, text.csv(result))
        note(f"Table: {csv}")
    if picture:
        from mnistrobust.report import pictures
        from mnistrobust.sweeps.picture import draw

        pictures.save(draw(result), "--picture", picture)
        note(f"Picture: {picture}")
    print_result(result.to_json(), as_json, lambda: text.print_sweep(result))
