"""The commands that judge claims: verify, report, claims, evidence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.cli.commands import check_file, print_result, write_file
from mnistrobust.cli.options import (
    ClaimId,
    Data,
    EvidenceData,
    EvidenceFile,
    Json,
    Markdown,
    Offline,
    ReportDir,
    Since,
    StoreDir,
    Verbose,
)
from mnistrobust.errors import UsageError

if TYPE_CHECKING:
    from mnistrobust.comparison.changes import Changes
    from mnistrobust.judging.ledger import Ledger
    from mnistrobust.replicates import Replicate


def verify(
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|A-B", help="Judge on N fresh seeds, or on seeds A to B."),
    ] = None,
    evidence: EvidenceFile = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAMILY=MODULE:FUNCTION",
            help="A Keras architecture of your own in place of ann, rnn or cnn; may be repeated.",
        ),
    ] = None,
    baseline: Since = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the results to this JSON file.")
    ] = None,
    report: ReportDir = Path("report"),
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Train networks, check every claim, write the report.

    Only missing networks are trained. A line for each claim is printed, wrong claims first.
    """
    from mnistrobust import suite
    from mnistrobust.architectures import recipes_with, replaced_by
    from mnistrobust.comparison import baselines, runs
    from mnistrobust.comparison.changes import compare
    from mnistrobust.data import decide
    from mnistrobust.evidence import load
    from mnistrobust.judging.ledger import ledger_of
    from mnistrobust.replicates import Replicate
    from mnistrobust.replicates.seeds import seeds_of
    from mnistrobust.store import open_store

    seeds_of(seeds)
    suite.check_target(report)
    check_file("--results", results)
    if baseline and seeds:
        raise UsageError("--baseline compares seed 0: leave out --seeds.")
    opened = open_store(store)
    before = baselines.load(baseline, opened, decide(data, offline=offline)) if baseline else None
    recipes = recipes_with(replaced_by(model or ()))
    options = {
        "--data": data,
        "--store": store,
        "--seeds": seeds,
        "--evidence": evidence,
        "--verbosity": "-1",  # the ledger is printed here
    }
    junit = report.absolute() / "junit.xml"
    found, code = suite.verify(options, offline=offline, models=model or (), junit=junit)
    if results:
        write_file("--results", results, found.to_json())
    ledger = ledger_of(found, load(found.source.name, evidence))
    replicate = Replicate(found.seeds[0], found.source, opened, recipes=recipes)
    changes = None
    if before and baseline:
        after = runs.run_of(found)
        changes = compare(before, after, name=baseline, evidence=ledger.evidence)
    _report(ledger, report, replicate, changes, verbose=verbose, as_json=as_json)
    raise typer.Exit(1 if changes and changes.worse and not code else code)


def report(
    evidence: EvidenceFile = None,
    store: StoreDir = None,
    results: Annotated[
        Path, typer.Option(metavar="FILE", help="Results of an earlier run of verify or pytest.")
    ] = Path("report") / "results.json",
    folder: ReportDir = Path("report"),
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Print and write the report of an earlier run again.

    Nothing is trained or evaluated, and the exit code is 0 whatever the run found. The page shows the
    networks that the store has; the ledger is complete without them.
    """
    from mnistrobust.architectures import recipes_with, replaced_by
    from mnistrobust.evidence import load
    from mnistrobust.judging.ledger import ledger_of
    from mnistrobust.replicates import Replicate
    from mnistrobust.store import open_store
    from mnistrobust.suite import check_target, read_results

    found = read_results(results)
    check_target(folder)
    replicate = None
    try:
        recipes = recipes_with(replaced_by("=".join(each) for each in found.models.items()))
        if found.seeds:
            replicate = Replicate(found.seeds[0], found.source, open_store(store), recipes=recipes)
    except UsageError:
        if not found.models:
            raise
        # without its source, nobody knows which networks are your own
    ledger = ledger_of(found, load(found.source.name, evidence))
    _report(ledger, folder, replicate, verbose=verbose, as_json=as_json)


def claims(
    claim_id: ClaimId = None,
    evidence: EvidenceFile = None,
    data: EvidenceData = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """List the claims with their verdicts, or show one in full.

    The verdicts are those of full MNIST, which alone judges the document. With --data, they are those
    of the named data set.
    """
    from mnistrobust.evidence import load
    from mnistrobust.judging.ledger import ledger_of
    from mnistrobust.judging.row import claim_json

    ledger = ledger_of(evidence=load(_dataset(data), evidence), only=claim_id)
    from mnistrobust.report import terminal
    from mnistrobust.report.markdown import verdicts

    def tell() -> None:
        if len(ledger.rows) == 1:
            terminal.print_claim(ledger.rows[0], ledger)
        else:
            terminal.print_ledger(ledger)

    # bounds of hold-rates import SciPy, which the list does without
    facts = [claim_json(row) for row in ledger.rows] if as_json else None
    print_result(facts, as_json, tell, verdicts(ledger) if markdown else None)


def evidence(
    chosen: EvidenceFile = None,
    data: EvidenceData = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Say which changes one seed reveals, and the error rate."""
    from mnistrobust.evidence import load
    from mnistrobust.judging.regression import checks_of
    from mnistrobust.judging.sensitivity import sensitivity
    from mnistrobust.report import markdown as tables
    from mnistrobust.report import terminal

    name = _dataset(data)
    checks = checks_of(load(name, chosen))
    if checks is None:
        raise UsageError(
            f"There is no evidence of {name} with enough seeds for a verdict: make it with "
            f"'mnistrobust replicate'."
        )
    found = sensitivity(checks)
    text = tables.sensitivity(found) if markdown else None
    print_result(found, as_json, lambda: terminal.print_sensitivity(found), text)


def _report(
    ledger: "Ledger",
    folder: Path,
    replicate: "Replicate | None",
    changes: "Changes | None" = None,
    *,
    verbose: bool,
    as_json: bool,
) -> None:
    """Write the report, and print the ledger and what changed."""
    from mnistrobust import report
    from mnistrobust.comparison import tables
    from mnistrobust.report import console, terminal

    said = tables.changed(changes) if changes else None
    report.write(ledger, folder, replicate=replicate, changes=said)

    def tell() -> None:
        terminal.print_ledger(ledger, verbose=verbose)
        if changes:
            tables.print_changes(changes)
        console.note(f"Report: {folder / report.PAGE}")

    more = {"changes": changes.to_json()} if changes else {}
    print_result({**json.loads(ledger.run.to_json()), **more}, as_json, tell)


def _dataset(data: str | None) -> str:
    """Return the name of the data set whose evidence is asked for; full MNIST's by default."""
    if data in {None, "auto"}:
        return "mnist"
    if data == "mnist5k":
        return data
    from mnistrobust.data import decide

    return decide(data).name
