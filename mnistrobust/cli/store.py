"""The commands on what lies on disk: data, store."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistrobust.cli.commands import print_facts, print_result
from mnistrobust.cli.options import Data, Json, Offline, StoreDir, command
from mnistrobust.errors import inert

if TYPE_CHECKING:
    from mnistrobust.store import Store

_ANSWER = 64  # characters, of a standard input that may never end
store_app = typer.Typer(
    help="List, prune or clear what is stored.",
    epilog="Example: mnistrobust store prune",
    rich_markup_mode=None,
)


def data_command(
    retry: Annotated[
        bool, typer.Option("--retry", help="Try the download again, even after a failure.")
    ] = False,
    data: Data = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Say which data set would be used, and why."""
    from mnistrobust.data import decide
    from mnistrobust.report import console

    source = decide(data, offline=offline, retry=retry)
    print_facts(source.to_json(), as_json)
    if source.notice:
        from mnistrobust.checks.report import LEAKED

        console.note(source.notice)
        console.note(LEAKED)


@store_app.callback()
def store_list(context: typer.Context, store: StoreDir = None, as_json: Json = False) -> None:
    """List what is stored."""
    from mnistrobust.store import open_store

    opened = open_store(store)
    context.obj = opened
    if context.invoked_subcommand is not None:
        return
    entries: list[dict[str, Any]] = [
        {"entry": str(path.relative_to(opened.root)), "bytes": path.stat().st_size}
        for path in opened.entries()
    ]
    megabytes = sum(entry["bytes"] for entry in entries) / 1e6
    lines = [f"{entry['bytes']:>12,}  {inert(entry['entry'])}" for entry in entries]
    lines.append(f"{len(entries)} entries, {megabytes:,.1f} MB, in {inert(opened.root)}")
    print_result(entries, as_json, lambda: typer.echo("\n".join(lines)))


@store_app.command("clear", **command("store clear --yes"))
def store_clear(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: StoreDir = None,
) -> None:
    """Remove every entry; networks train again when they are needed."""
    opened = _opened(context, store)
    count, root = len(opened.entries()), inert(opened.root)
    if not yes:
        sys.stderr.write(f"Remove {count} entries from {root}? [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline(_ANSWER) if sys.stdin else ""
        if not answer.endswith("\n"):
            sys.stderr.write("\n")
        if answer.strip().lower() not in {"y", "yes"}:
            raise typer.Abort
    typer.echo(f"{opened.clear()} entries removed from {root}")


@store_app.command("prune", **command("store prune"))
def store_prune(context: typer.Context, store: StoreDir = None) -> None:
    """Remove the entries that today's code no longer looks for."""
    from mnistrobust.comparison.seeds import is_current
    from mnistrobust.curves.jobs import at_doses
    from mnistrobust.replicates.keys import unused

    opened = _opened(context, store)
    files = unused(opened, is_current, *at_doses())
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    opened.remove(files)
    kept, root = len(opened.entries()), inert(opened.root)
    typer.echo(f"{len(files)} entries, {megabytes:,.1f} MB, removed from {root}; {kept} kept")


def _opened(context: typer.Context, store: str | None) -> "Store":
    """Open the store that is named behind `prune` or `clear`, else the one before it."""
    from mnistrobust.store import open_store

    source = context.get_parameter_source("store")
    named_here = source is not None and source.name == "COMMANDLINE"
    opened: Store = open_store(store) if named_here else context.obj
    return opened
