"""The commands on baselines: save, list, remove."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistrobust.cli.commands import print_facts, print_result, with_doses
from mnistrobust.cli.options import (
    Arch,
    BaselineName,
    Data,
    Doses,
    Json,
    Networks,
    Offline,
    StoreDir,
    Trust,
    Workers,
    command,
)
from mnistrobust.errors import MnistRobustError, UsageError, say

if TYPE_CHECKING:
    from mnistrobust.comparison.runs import Run
    from mnistrobust.comparison.sides import Side
    from mnistrobust.data import Source
    from mnistrobust.store import Store

baseline_app = typer.Typer(epilog="Example: mnistrobust baseline list", rich_markup_mode=None)


@baseline_app.callback()
def baseline_help(context: typer.Context) -> None:
    """Keep runs of the claims, and models' predictions, by name."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@baseline_app.command("save", **command("baseline save before my_model:predict"))
def baseline_save(
    name: BaselineName,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="A model, as for `compare` (default: a run of the claims)."
        ),
    ] = None,
    seeds: Networks = None,
    on: Doses = None,
    arch: Arch = None,
    trust: Trust = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an existing baseline of that name.")
    ] = False,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Keep a model's predictions, or a run of the claims.

    `compare` takes predictions, and `verify` a run. NAME may be an .npz file for a model's predictions.
    """
    from mnistrobust.comparison import baselines, sides
    from mnistrobust.comparison.opening import check_side, open_side
    from mnistrobust.data import decide
    from mnistrobust.replicates.schedule import worker_count
    from mnistrobust.report import console
    from mnistrobust.store import open_store

    opened = open_store(store)
    file = baselines.model_file(name, opened)
    if model is None or file != Path(name):
        baselines.check_name(name)
    conditions = tuple(each.name for each in with_doses(on))
    given = {"--seeds": seeds, "--on": on, "--arch": arch, "--trust": trust, "--workers": workers}
    if model is None and (options := [name for name, value in given.items() if value]):
        raise UsageError(f"{options[0]} is for a model: name it after {name}.")
    if not replace:
        baselines.check_free(name, opened)
    if model:
        check_side(model, opened)
    source = decide(data, offline=offline)
    if model is None:
        run = _run(source, opened, offline=offline)
        target = baselines.save(run, name, opened)
        facts = _run_facts(name, run)
    else:
        target = file
        count = workers or worker_count(seeds or 1)
        with console.progress() as tell:
            how: dict[str, Any] = {"on": conditions, "arch": arch, "trust": trust}
            side = open_side(model, source, opened, networks=seeds, workers=count, tell=tell, **how)
        sides.save(side, target)
        facts = _model_facts(name, side)
    baselines.remove(name, opened, but=target)  # a run in place of predictions, or these of a run
    print_facts({**facts, "file": str(target), "bytes": target.stat().st_size}, as_json)


@baseline_app.command("list", **command("baseline list"))
def baseline_list(store: StoreDir = None, as_json: Json = False) -> None:
    """List the baselines that are kept beside a store, and name damaged ones."""
    from mnistrobust.comparison import baselines, sides
    from mnistrobust.report import console
    from mnistrobust.store import open_store

    opened = open_store(store)
    found = []
    kept = [(kind, name) for kind in ("json", "npz") for name in baselines.names(opened, kind)]
    for kind, name in kept:
        try:
            if kind == "json":
                found.append(_run_facts(name, baselines.load(name, opened)))
            elif side := sides.load(baselines.model_file(name, opened), kept=True):
                found.append(_model_facts(name, side))
        except MnistRobustError as error:
            say(error)

    def tell() -> None:
        names = ("name", "of", "made", "dataset")
        console.table(names, [[console.plain(row[name]) for name in names] for row in found])
        console.note(f"{len(found)} baselines in {baselines.folder(opened)}")

    print_result(found, as_json, tell)


@baseline_app.command("remove", **command("baseline remove before"))
def baseline_remove(name: BaselineName, store: StoreDir = None) -> None:
    """Remove a baseline."""
    from mnistrobust.comparison import baselines
    from mnistrobust.store import open_store

    baselines.remove(name, open_store(store))
    typer.echo(f"Baseline '{name}' removed.")


def _run(source: "Source", store: "Store", *, offline: bool) -> "Run":
    """Run the specs on the suite's replicate; ends the command where they cannot run."""
    from mnistrobust import suite
    from mnistrobust.comparison import runs

    options = {
        "--data": source.path or source.name,
        "--store": str(store.root),
        "--evidence": "none",  # what one replicate may look like is verify's question
    }
    results, code = suite.verify(options, offline=offline)
    if code > 1:
        raise typer.Exit(code)
    return runs.run_of(results)


def _run_facts(name: str, run: "Run") -> dict[str, Any]:
    outcomes = run.results.outcomes
    return {
        "name": name,
        "of": "a run of the claims",
        "made": run.made,
        "dataset": run.results.source.name,
        "digest": run.results.source.digest,
        "claims": len(outcomes),
        "failed": sum(each.error is not None for each in outcomes),
        "versions": dict(run.results.versions),
    }


def _model_facts(name: str, side: "Side") -> dict[str, Any]:
    return {
        "name": name,
        "of": side.name,
        "made": side.made,
        "dataset": side.dataset[0],
        "digest": side.dataset[1],
        "seeds": list(side.seeds),
        "versions": dict(side.versions),
    }
