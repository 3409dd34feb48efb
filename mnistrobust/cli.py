"""The command `mnistrobust`: results on standard output, everything else on standard error."""

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistrobust.errors import MnistRobustError, UsageError

if TYPE_CHECKING:
    from mnistrobust.data import Source
    from mnistrobust.store import Store
    from mnistrobust.world import World

app = typer.Typer(
    help="Test what a research document claims about MNIST classifiers.",
    epilog="Results go to standard output, everything else to standard error. "
    "Exit codes: 0 as expected, 1 a claim or check failed, 2 wrong usage, 3 no usable data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
store_app = typer.Typer(help="What is stored: list, verify, clear.", rich_markup_mode=None)
app.add_typer(store_app, name="store", invoke_without_command=True)

Data = Annotated[
    str | None,
    typer.Option(
        metavar="auto|mnist5k|PATH",
        envvar="MNISTROBUST_DATA",
        help="Data set: an .npz, a folder of IDX files, mnist5k, or auto.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never download the data set.")]
StoreDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", envvar="MNISTROBUST_STORE", help="Folder of trained models and readings."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int, typer.Option(min=0, help="The world: every seed trains other networks.")]
On = Annotated[str, typer.Option("--on", metavar="VIEW", help="View: clean, offset-noise, …")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes (default: what fits).")]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="Such as ann_noisy.")]


@app.command()
def verify(
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Judge on N fresh worlds, from seed 10001.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the results as JSON here.")
    ] = None,
    report: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
    as_json: Json = False,
) -> None:
    """Train what is missing, check every claim, print the ledger and write it as a report."""
    from mnistrobust import verifying

    options = {
        "--data": data if data in {None, "auto", "mnist5k"} else _absolute(data),
        "--store": _absolute(store),
        "--seeds": str(seeds) if seeds else None,
    }
    found, code = verifying.verify(options, offline=offline)
    if found is None:
        raise typer.Exit(code)
    from mnistrobust import rendering

    verifying.write_report(found, report)
    rendering.save_ledger(found, report / "ledger.svg")
    if results:
        results.write_text(found.to_json(), "utf-8")
    if as_json:
        sys.stdout.write(found.to_json())
    else:
        rendering.print_ledger(found)
        rendering.note(f"Report: {report / 'ledger.md'}, ledger.svg and results.json")
    raise typer.Exit(code)


@app.command()
def claims(
    claim_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Such as ann.offset_noise_hurts.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the document's claims, or show one in full."""
    from mnistrobust import rendering
    from mnistrobust.claims import claim_named, load_claims
    from mnistrobust.ledger import claim_json

    chosen = [claim_named(claim_id)] if claim_id else list(load_claims().values())
    if as_json:
        _print_json([claim_json(claim) for claim in chosen])
    elif claim_id:
        rendering.print_claim(chosen[0])
    else:
        rendering.print_claims(chosen)


@app.command()
def measure(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Print what one recipe's network does on one view; train it first where that is needed."""
    from mnistrobust import rendering
    from mnistrobust.world import Task

    _check(recipe, on)
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(recipe, (on,))], workers=1)
    reading = world.read(recipe, on=on).to_json()
    _print_json(reading) if as_json else rendering.print_mapping(reading)


@app.command()
def train(
    recipes: Annotated[
        list[str] | None, typer.Argument(metavar="[RECIPE]…", help="Default: all recipes.")
    ] = None,
    seed: Seed = 0,
    workers: Workers = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Train recipes, all of them by default, and print how they end."""
    from mnistrobust import rendering
    from mnistrobust.recipes import RECIPES
    from mnistrobust.world import Task

    names = list(dict.fromkeys(recipes or RECIPES))
    for name in names:
        _check(name)
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(name) for name in names], workers=workers)
    ends = {
        name: {curve: values[-1] for curve, values in world.trained(name).history.items()}
        for name in names
    }
    _print_json(ends) if as_json else rendering.print_training(ends)


@app.command()
def show(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Picture (default: RECIPE-VIEW-seedN.png).")
    ] = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
) -> None:
    """Draw the document's pictures of one recipe on one view into a file."""
    from mnistrobust import rendering
    from mnistrobust.world import Task

    _check(recipe, on)
    target = output or Path(f"{recipe}-{on}-seed{seed}.png")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"--output {target}: no such folder; make it first.")
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(recipe, (on,))], workers=1)
    rendering.save_overview(world, recipe, on, target)
    typer.echo(target)


@app.command(name="data")
def data_command(
    data: Data = None,
    offline: Offline = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try the download again, also after a failure.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say which data set would be used, and why."""
    from mnistrobust import rendering
    from mnistrobust.data import decide

    source = decide(data or "auto", offline=offline, retry=retry)
    _print_json(source.to_json()) if as_json else rendering.print_mapping(source.to_json())
    if source.notice:
        rendering.note(source.notice)


@store_app.callback()
def store_list(context: typer.Context, store: StoreDir = None, as_json: Json = False) -> None:
    """List what is stored."""
    from mnistrobust import rendering
    from mnistrobust.store import open_store

    opened = open_store(store)
    context.obj = opened
    if context.invoked_subcommand is None:
        entries = [
            {"entry": str(path.relative_to(opened.root)), "bytes": path.stat().st_size}
            for path in opened.entries()
        ]
        _print_json(entries) if as_json else rendering.print_entries(opened.root, entries)


@store_app.command("verify")
def store_verify(context: typer.Context, as_json: Json = False) -> None:
    """Check the digest of every entry; exit code 1 where one is damaged."""
    opened: Store = context.obj
    damaged = [{"entry": str(path), "reason": reason} for path, reason in opened.damaged()]
    if as_json:
        _print_json(damaged)
    else:
        for each in damaged:
            typer.echo(f"{each['entry']}: {each['reason']}")
        typer.echo(f"{len(opened.entries())} entries, {len(damaged)} damaged")
    raise typer.Exit(1 if damaged else 0)


@store_app.command("clear")
def store_clear(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every entry; the networks are then trained anew when they are needed."""
    opened: Store = context.obj
    count = len(opened.entries())
    if not yes:
        typer.confirm(f"Remove {count} entries from {opened.root}?", abort=True, err=True)
    typer.echo(f"{opened.clear()} entries removed from {opened.root}")


def main() -> None:
    """Run the command; errors and warnings are one line on standard error."""
    warnings.showwarning = _warn
    try:
        app(prog_name="mnistrobust")
    except MnistRobustError as error:
        sys.stderr.write(f"mnistrobust: {error}\n")
        sys.exit(error.exit_code)


def _absolute(path: str | None) -> str | None:
    """Make a path independent of the folder that the specs run in."""
    return str(Path(path).expanduser().absolute()) if path else None


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"mnistrobust: {message}\n")


def _check(recipe: str, view: str | None = None) -> None:
    """Fail for a wrong name before any work."""
    from mnistrobust.recipes import recipe_named
    from mnistrobust.views import view_named

    recipe_named(recipe)
    if view is not None:
        view_named(view)


def _world(seed: int, data: str | None, offline: bool, store: str | None) -> "World":
    from mnistrobust import rendering
    from mnistrobust.data import decide
    from mnistrobust.store import open_store
    from mnistrobust.world import World

    opened = open_store(store)
    source: Source = decide(data or "auto", offline=offline)
    rendering.note(f"data: {source}")
    if source.notice:
        rendering.note(source.notice)
    return World(seed, source, opened)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
