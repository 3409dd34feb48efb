"""The command `mnistrobust`: results on standard output, everything else on standard error."""

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistrobust.bench.command import bench
from mnistrobust.errors import MnistRobustError, UsageError, inert, say, say_warnings
from mnistrobust.options import Data, Json, Offline, On, RecipeName, Seed, StoreDir, Workers

if TYPE_CHECKING:
    from mnistrobust.data import Source
    from mnistrobust.store import Store
    from mnistrobust.world import World

app = typer.Typer(
    help="Test what a research document claims about MNIST classifiers.",
    epilog="Results go to standard output, everything else to standard error. "
    "Exit codes: 0 as expected, 1 a claim or check failed, 2 wrong usage, 3 no usable data.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
store_app = typer.Typer(help="What is stored: list, verify, clear.", rich_markup_mode=None)
app.add_typer(store_app, name="store", invoke_without_command=True)

_INTERRUPTED = 130
_WrongUsageError: Any = typer.BadParameter.__base__  # click's own, wherever typer keeps it


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
    from mnistrobust.data import decide
    from mnistrobust.store import open_store

    verifying.find_clone()
    verifying.check_targets(report, results)
    open_store(store)
    if data not in {None, "auto", "mnist5k"}:
        decide(data)  # a wrong path is one line here, not a run of pytest
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
        _print_json(json.loads(found.to_json()))
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
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise UsageError(f"--output {target}: no file in an existing folder; make it first.")
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(recipe, (on,))], workers=1)
    rendering.save_overview(world, recipe, on, target)
    typer.echo(inert(target))


app.command()(bench)


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
def store_verify(context: typer.Context, store: StoreDir = None, as_json: Json = False) -> None:
    """Check the digest of every entry; exit code 1 where one is damaged."""
    opened = _opened(context, store)
    damaged = [{"entry": str(path), "reason": reason} for path, reason in opened.damaged()]
    if as_json:
        _print_json(damaged)
    else:
        for each in damaged:
            typer.echo(inert(f"{each['entry']}: {each['reason']}"))
        typer.echo(f"{len(opened.entries())} entries, {len(damaged)} damaged")
    raise typer.Exit(1 if damaged else 0)


@store_app.command("clear")
def store_clear(
    context: typer.Context,
    store: StoreDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every entry; the networks are then trained anew when they are needed."""
    opened = _opened(context, store)
    count, root = len(opened.entries()), inert(opened.root)
    if not yes:
        _confirm(f"Remove {count} entries from {root}?")
    typer.echo(f"{opened.clear()} entries removed from {root}")


def main() -> None:
    """Run the command; errors and warnings are one line on standard error."""
    say_warnings()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our quotation marks
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="mnistrobust", standalone_mode=False)
        sys.stdout.flush()
    except MnistRobustError as error:
        say(error)
        return error.exit_code
    except _WrongUsageError as error:
        command = error.ctx.command_path if error.ctx else "mnistrobust"
        message = error.format_message()
        stop = "" if message.endswith((".", "?")) else "."
        say(f"{message}{stop} See '{command} --help'.")
        return 2
    except typer.Abort:
        say("Aborted: nothing is changed.")
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            say(f"{error.filename or 'standard output'}: {error.strerror or error}.")
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        say("Interrupted. What is finished is kept: run the same command to go on.")
    return code or 0


def _absolute(path: str | None) -> str | None:
    """Make a path independent of the folder that the specs run in."""
    return str(Path(path).expanduser().absolute()) if path else None


def _confirm(question: str) -> None:
    """Ask on standard error, and abort on anything but a yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin else ""
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in {"y", "yes"}:
        raise typer.Abort


def _opened(context: typer.Context, store: str | None) -> "Store":
    """Open the store that is named behind `verify` or `clear`, else the one before it."""
    from mnistrobust.store import open_store

    source = context.get_parameter_source("store")
    named_here = source is not None and source.name == "COMMANDLINE"
    opened: Store = open_store(store) if named_here else context.obj
    return opened


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
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
