"""The commands that judge claims: verify, report, claims, questions, evidence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.commands import absolute, print_json
from mnistrobust.commands.names import ClaimId, Since
from mnistrobust.errors import UsageError
from mnistrobust.options import Data, EvidenceFile, Json, Markdown, Offline, ReportDir, StoreDir

if TYPE_CHECKING:
    from mnistrobust.changes import Changes
    from mnistrobust.evidence import Evidence
    from mnistrobust.ledger import Results
    from mnistrobust.runs import Run
    from mnistrobust.store import Store


def verify(
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|A-B", help="Judge on N fresh worlds, or on the worlds A to B."),
    ] = None,
    evidence: EvidenceFile = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAMILY=MODULE:FUNCTION",
            help="A Keras architecture of your own in place of ann, rnn or cnn; may be repeated.",
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the results as JSON here.")
    ] = None,
    report: ReportDir = Path("report"),
    baseline: Since = None,
    as_json: Json = False,
) -> None:
    """Train what is missing, check every claim, write the report.

    The ledger is printed: a row for each claim, and last those that are wrong, and why.
    """
    from mnistrobust import verifying
    from mnistrobust.data import decide
    from mnistrobust.evidence import load
    from mnistrobust.replacing import install, replaced_by
    from mnistrobust.seeds import seeds_of
    from mnistrobust.store import open_store

    verifying.find_clone()
    seeds_of(seeds)
    verifying.check_targets(report, results)
    before = _baseline(baseline, seeds, data, store, offline=offline)
    opened = open_store(store)
    install(replaced_by(model or ()))  # their networks are those of the report
    # what is wrong is one line here, not a run of pytest
    if data not in {None, "auto", "mnist5k"}:
        decide(data)
    if evidence not in {None, "none"}:
        load(decide(data or "auto", offline=offline).name, evidence)
    options = {
        "--data": data if data in {None, "auto", "mnist5k"} else absolute(data),
        "--store": absolute(store),
        "--seeds": seeds,
        "--evidence": evidence if evidence in {None, "none"} else absolute(evidence),
    }
    found, code = verifying.verify(options, offline=offline, models=model or ())
    if found is None:
        raise typer.Exit(code)
    if results:
        results.write_text(found.to_json(), "utf-8")
    known = load(found.source.name, evidence)
    changes = _changes(before, baseline, found, opened, known, report)
    _report(found, report, known, opened, changes, as_json=as_json)
    raise typer.Exit(1 if changes and changes.worse and not code else code)


def report(
    results: Annotated[
        Path, typer.Option(metavar="FILE", help="What an earlier run of verify or pytest wrote.")
    ] = Path("report") / "results.json",
    folder: ReportDir = Path("report"),
    store: StoreDir = None,
    evidence: EvidenceFile = None,
    as_json: Json = False,
) -> None:
    """Print and write the report of an earlier run anew.

    Nothing is trained or read. Networks that the store has are shown; without them the ledger is complete all the same.
    """
    from mnistrobust.evidence import load
    from mnistrobust.replacing import install, replaced_by
    from mnistrobust.store import open_store
    from mnistrobust.verifying import check_targets, read_results

    found = read_results(results)
    check_targets(folder, None)
    opened: Store | None = open_store(store)
    try:
        install(replaced_by("=".join(each) for each in found.models.items()))
    except UsageError:
        opened = None  # without its source, nobody knows which networks are the reader's own
    _report(found, folder, load(found.source.name, evidence), opened, as_json=as_json)


def claims(
    claim_id: ClaimId = None,
    data: Data = None,
    evidence: EvidenceFile = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the claim's worlds into a picture.")
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """List the claims with their verdicts, or show one in full.

    The verdicts are those of full MNIST, which alone judges the document; those of another set
    where --data names it.
    """
    from mnistrobust import ledger_view
    from mnistrobust.claims import claim_named, load_claims
    from mnistrobust.evidence import load
    from mnistrobust.ledger import claim_json
    from mnistrobust.ledger_markdown import verdicts_markdown

    chosen = [claim_named(claim_id)] if claim_id else list(load_claims().values())
    known = load(_dataset(data), evidence)
    if picture:
        if not claim_id or known is None:
            raise UsageError("--picture draws the evidence of one claim: name an ID, and evidence.")
        ledger_view.save_strip(chosen[0], known, picture)
    if as_json:
        print_json([claim_json(claim, known) for claim in chosen])
    elif markdown:
        typer.echo(verdicts_markdown(chosen, known), nl=False)
    elif claim_id:
        ledger_view.print_claim(chosen[0], known)
    else:
        ledger_view.print_claims(chosen, known)


def questions(data: Data = None, evidence: EvidenceFile = None, as_json: Json = False) -> None:
    """Say which networks fit, where the document leaves it open."""
    from mnistrobust import ledger_view
    from mnistrobust.claims import load_questions
    from mnistrobust.evidence import load
    from mnistrobust.questions import question_json

    known = load(_dataset(data), evidence)
    if as_json:
        print_json([question_json(each, known) for each in load_questions().values()])
    else:
        ledger_view.print_questions(known)


def evidence(
    data: Data = None,
    chosen: EvidenceFile = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Say which changes the evidence sees, and how often it errs."""
    from mnistrobust import sensitivity
    from mnistrobust.checking import checks_of
    from mnistrobust.evidence import load
    from mnistrobust.ledger_view import print_sensitivity

    name = _dataset(data)
    checks = checks_of(load(name, chosen))
    if checks is None:
        raise UsageError(
            f"No evidence of {name} with worlds enough for a verdict: make it with "
            f"'mnistrobust replicate'."
        )
    if as_json:
        print_json(sensitivity.sensitivity(checks))
    elif markdown:
        typer.echo(sensitivity.markdown(checks), nl=False)
    else:
        print_sensitivity(checks)


def _report(
    found: "Results",
    folder: Path,
    known: "Evidence | None",
    store: "Store | None",
    changes: "Changes | None" = None,
    *,
    as_json: bool,
) -> None:
    from mnistrobust import changes_view, ledger_view, rendering, report

    table = changes_view.rows(changes) if changes else None
    report.write(found, folder, known, store=store, changes=table)
    ledger_view.save_ledger(found, folder / "ledger.svg", known)
    if as_json:
        said = {"changes": changes.to_json()} if changes else {}
        print_json({**json.loads(found.to_json()), **said})
    else:
        ledger_view.print_ledger(found, known)
        if changes:
            changes_view.print_changes(changes)
        rendering.note(f"Report: {folder / report.PAGE} ({', '.join(report.FILES)} beside it)")


def _baseline(
    name: str | None, seeds: str | None, data: str | None, store: str | None, *, offline: bool
) -> "Run | None":
    """Return the baseline to compare with, before anything runs."""
    if name is None:
        return None
    from mnistrobust import baselines
    from mnistrobust.data import decide
    from mnistrobust.store import open_store

    if seeds is not None:
        raise UsageError("--baseline compares the world of seed 0: leave out --seeds.")
    return baselines.load(name, open_store(store), decide(data, offline=offline))


def _changes(
    before: "Run | None",
    name: str | None,
    found: "Results",
    store: "Store",
    known: "Evidence | None",
    folder: Path,
) -> "Changes | None":
    """Compare with the baseline, and write that beside the ledger, or nothing without one."""
    if before is None or name is None:
        for stale in ("changes.json", "changes.md"):
            (folder / stale).unlink(missing_ok=True)
        return None
    from mnistrobust import baselines, changes_view, runs
    from mnistrobust.store import write_whole
    from mnistrobust.world import World

    run = runs.run_of(found, World(found.seeds[0], found.source, store))
    changes = baselines.compare(before, run, name=name, evidence=known)
    write_whole(folder / "changes.json", json.dumps(changes.to_json(), indent=1).encode())
    write_whole(folder / "changes.md", changes_view.markdown(changes).encode())
    return changes


def _dataset(data: str | None) -> str:
    """Return the name of the data set whose evidence is asked for; full MNIST's by default."""
    if data in {None, "auto"}:
        return "mnist"
    if data == "mnist5k":
        return data
    from mnistrobust.data import decide

    return decide(data).name
