"""The commands on baselines: save, compare, list, remove."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistrobust.claims import FAMILIES
from mnistrobust.commands import absolute, print_json
from mnistrobust.commands.names import BaselineName
from mnistrobust.errors import unknown
from mnistrobust.options import Data, EvidenceFile, Json, Offline, StoreDir

if TYPE_CHECKING:
    from mnistrobust.data import Source
    from mnistrobust.runs import Run
    from mnistrobust.store import Store

baseline_app = typer.Typer(rich_markup_mode=None)


@baseline_app.callback()
def baseline_help(context: typer.Context) -> None:
    """Whole runs, kept by name, to compare later runs with."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@baseline_app.command("save")
def baseline_save(
    name: BaselineName,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    family: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(FAMILIES), help="Only these claims (default: all)."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a baseline of that name.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the claims, and keep figures and answers under a name."""
    from mnistrobust import baselines, rendering, verifying
    from mnistrobust.store import open_store

    verifying.find_clone()
    baselines.check_name(name)
    for each in family or ():
        if each not in FAMILIES:
            raise unknown("family", each, FAMILIES)
    opened = open_store(store)
    if not replace:
        baselines.check_free(name, opened)
    run = _run(_source(data, offline), opened, family or (), offline=offline)
    target = baselines.save(run, name, opened, replace=replace)
    facts = {**_facts(name, run), "file": str(target), "bytes": target.stat().st_size}
    print_json(facts) if as_json else rendering.print_mapping(facts)


@baseline_app.command("compare")
def baseline_compare(
    name: BaselineName,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    evidence: EvidenceFile = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Run the claims of a baseline anew, and say what changed.

    The exit code is 1 where something is worse.
    """
    from mnistrobust import baselines, changes_view, verifying
    from mnistrobust.evidence import load
    from mnistrobust.store import open_store

    verifying.find_clone()
    opened, source = open_store(store), _source(data, offline)
    before, known = baselines.load(name, opened, source), load(source.name, evidence)
    run = _run(source, opened, before.families, offline=offline)
    changes = baselines.compare(before, run, name=name, evidence=known)
    if as_json:
        print_json(changes.to_json())
    elif as_markdown:
        typer.echo(changes_view.markdown(changes), nl=False)
    else:
        changes_view.print_changes(changes)
    raise typer.Exit(1 if changes.worse else 0)


@baseline_app.command("list")
def baseline_list(store: StoreDir = None, as_json: Json = False) -> None:
    """List the baselines beside a store."""
    from mnistrobust import baselines, rendering
    from mnistrobust.store import open_store

    opened = open_store(store)
    found = [_facts(name, baselines.load(name, opened)) for name in baselines.names(opened)]
    if as_json:
        print_json(found)
    else:
        rendering.print_rows(found)
        rendering.note(f"{len(found)} baselines in {baselines.folder(opened)}")


@baseline_app.command("remove")
def baseline_remove(name: BaselineName, store: StoreDir = None) -> None:
    """Remove a baseline."""
    from mnistrobust import baselines
    from mnistrobust.store import open_store

    baselines.remove(name, open_store(store))
    typer.echo(f"Baseline '{name}' removed.")


def _source(data: str | None, offline: bool) -> "Source":
    from mnistrobust.data import decide

    return decide(data, offline=offline)


def _run(source: "Source", store: "Store", families: Sequence[str], *, offline: bool) -> "Run":
    """Run the specs on the suite's world; ends the command where they cannot run."""
    from mnistrobust import runs, verifying
    from mnistrobust.seeds import SUITE_SEED
    from mnistrobust.world import World

    options = {
        "--data": absolute(source.path) or source.name,
        "--store": str(store.root),
        "--evidence": "none",  # what one world may look like is verify's question
    }
    results, code = verifying.verify(options, offline=offline, families=families)
    if results is None or code not in {0, 1}:
        raise typer.Exit(code or 1)
    return runs.run_of(results, World(SUITE_SEED, results.source, store))


def _facts(name: str, run: "Run") -> dict[str, Any]:
    outcomes = run.results.outcomes
    return {
        "name": name,
        "made": run.made,
        "dataset": run.source.name,
        "digest": run.source.digest,
        "families": list(run.families),
        "claims": len(outcomes),
        "failed": sum(each.error is not None for each in outcomes),
        "readings": len(run.answers),
        "versions": dict(run.versions),
    }
