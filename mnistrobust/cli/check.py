"""The commands on anybody's model: check, export-inputs."""

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.cli.commands import decided, earlier, print_result, reading, with_doses, write_file
from mnistrobust.cli.options import (
    Arch,
    Data,
    Doses,
    InputShape,
    Json,
    Logits,
    Markdown,
    Offline,
    Pixels,
    ReportDir,
    Seconds,
    Trust,
)
from mnistrobust.errors import UsageError, inert

if TYPE_CHECKING:
    from mnistrobust.data import Dataset


def check(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="package.module:predict, a recipe, a model file (.onnx, .safetensors; with --trust .keras, .h5, "
            ".pt, a SavedModel folder), or an .npz of predictions.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Run only this; may be repeated.")
    ] = None,
    expect_failure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK=REASON", help="Must fail (a pass is an error); may be repeated."
        ),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK=X", help="Bound of your own; may be repeated."),
    ] = None,
    on: Doses = None,
    input_shape: InputShape = None,
    pixels: Pixels = None,
    logits: Logits = None,
    arch: Arch = None,
    trust: Trust = False,
    seconds: Seconds = None,
    checks: Annotated[bool, typer.Option("--checks", help="List the checks and exit.")] = False,
    data: Data = None,
    offline: Offline = False,
    report: ReportDir = Path("report"),
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Check a trained digit classifier from any framework."""
    from mnistrobust.checks import accuracy, bounds, page
    from mnistrobust.checks import report as reports
    from mnistrobust.checks.opening import check_given, open_model
    from mnistrobust.checks.run import CHECKS, run, selected
    from mnistrobust.report import console
    from mnistrobust.suite import check_target

    if checks:
        listed = [each.to_json() for each in CHECKS.values()]
        text = f"{reports.checks_markdown()}\n" if markdown else None
        return print_result(listed, as_json, reports.print_checks, text)
    if model is None:
        raise UsageError("Missing argument 'MODEL'. See 'mnistrobust check --help'.")
    how = reading(input_shape, pixels, logits)
    expected = _expected(expect_failure or ())
    perturbed = {each.name: accuracy.under(each) for each in with_doses(on)}
    known = {**CHECKS, **perturbed}
    known = bounds.bounded(known, bounds.stated(bound or (), known))
    only = [*only, *perturbed] if only else []
    selected(only, expected, known)
    check_given(model)
    check_target(report)
    dataset = _dataset(data, offline=offline)
    if trust:
        console.note(f"--trust: {model} may run code when it is loaded, with your rights.")
    with console.progress() as tell:
        tell("opening the model", 0.0)
        opened = open_model(model, dataset, arch=arch, trust=trust, seconds=seconds, **how)
        results = run(opened, dataset, only=only, expected=expected, known=known, tell=tell)
    text = reports.markdown(results, shlex.join(["mnistrobust", *sys.argv[1:]]))
    before = earlier(report / "checks.json")
    write_file("--report", report / "checks.json", json.dumps(results.to_json(), indent=1) + "\n")
    write_file("--report", report / "checks.md", text)
    write_file("--report", report / "checks.html", page.html(results))
    shown = f"{text}\n" if markdown else None
    print_result(results.to_json(), as_json, lambda: reports.print_report(results), shown)
    console.note(f"Report: {report / 'checks.html'}, checks.md and checks.json{before}")
    raise typer.Exit(0 if results.good else 1)


def export_inputs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder; created if missing.")],
    data: Data = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Write the checks' inputs, for a model that runs elsewhere."""
    from mnistrobust.checks import predictions
    from mnistrobust.report import console

    dataset = _dataset(data, offline=offline)
    with console.progress() as tell:
        tell(f"writing {folder / predictions.INPUTS}", 0.0)
        written = predictions.export(dataset, folder)
    facts = {"dataset": dataset.name, "files": [str(path) for path in written]}
    print_result(facts, as_json, lambda: typer.echo("\n".join(map(inert, written))))


def _expected(given: Iterable[str]) -> dict[str, str]:
    reasons = {}
    for text in given:
        name, equals, reason = text.partition("=")
        if not equals or not reason.strip():
            raise UsageError(f"--expect-failure {text}: expected CHECK=REASON.")
        reasons[name.strip()] = reason.strip()
    return reasons


def _dataset(data: str | None, *, offline: bool) -> "Dataset":
    from mnistrobust.data import load

    return load(decided(data, offline, model=True))
