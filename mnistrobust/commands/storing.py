"""The commands on what lies on disk: data, store."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.commands import print_json
from mnistrobust.errors import inert
from mnistrobust.options import Data, Json, Offline, StoreDir

if TYPE_CHECKING:
    from mnistrobust.store import Store

store_app = typer.Typer(help="What is stored: list, verify, clear.", rich_markup_mode=None)


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

    source = decide(data, offline=offline, retry=retry)
    print_json(source.to_json()) if as_json else rendering.print_mapping(source.to_json())
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
        print_json(entries) if as_json else rendering.print_entries(opened.root, entries)


@store_app.command("verify")
def store_verify(context: typer.Context, store: StoreDir = None, as_json: Json = False) -> None:
    """Check the digest of every entry; exit code 1 where one is damaged."""
    opened = _opened(context, store)
    damaged = [{"entry": str(path), "reason": reason} for path, reason in opened.damaged()]
    if as_json:
        print_json(damaged)
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
    """Remove every entry; networks train anew when they are needed."""
    opened = _opened(context, store)
    count, root = len(opened.entries()), inert(opened.root)
    if not yes:
        _confirm(f"Remove {count} entries from {root}?")
    typer.echo(f"{opened.clear()} entries removed from {root}")


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
