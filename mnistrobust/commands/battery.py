"""The commands on anybody's model: check, export-views."""

import contextlib
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.commands import print_json
from mnistrobust.errors import UsageError, inert
from mnistrobust.options import Data, Json, Offline, ReportDir

if TYPE_CHECKING:
    from mnistrobust.data import Dataset

_SHAPES = "784|28x28|28x28x1|1x28x28"
_LEAKED = (
    "mnist5k is part of MNIST's training set: a model trained on that knows its digits, and its "
    "accuracy and calibration say nothing."
)


def check(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="package.module:predict, a model file (.keras, .h5, .safetensors), or an .npz of "
            "predictions.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="Only this spec; may be repeated.")
    ] = None,
    expect_failure: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC=REASON", help="This spec must fail (strict); may be repeated."),
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option(metavar=_SHAPES, help="How MODEL takes an image (default: found out)."),
    ] = None,
    logits: Annotated[
        bool | None,
        typer.Option("--logits/--probabilities", help="What MODEL gives (default: by its values)."),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(metavar="ann|rnn|cnn", help="Architecture of a file of weights.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a model file that is refused by default.")
    ] = False,
    specs: Annotated[bool, typer.Option("--specs", help="List the specs, and stop.")] = False,
    report: ReportDir = Path("report"),
    data: Data = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Put a model of any framework under a battery of specs."""
    from mnistrobust.battery import finding, running, showing
    from mnistrobust.battery.subject import LOGITS, PROBABILITIES, SHAPES
    from mnistrobust.verifying import check_targets

    if specs:
        print_json(showing.listed()) if as_json else showing.print_specs([*running.SPECS.values()])
        return
    if model is None:
        raise UsageError("Missing argument 'MODEL'. See 'mnistrobust check --help'.")
    if input_shape not in {None, *SHAPES}:
        raise UsageError(f"--input-shape {input_shape}: expected one of {', '.join(SHAPES)}.")
    expected = _expected(expect_failure or ())
    running.check_names(only or (), expected)
    check_targets(report, None)
    dataset = _dataset(data, offline=offline)
    with contextlib.redirect_stdout(sys.stderr), showing.progress() as tell:
        tell("importing the model")
        subject = finding.find(
            model,
            dataset,
            input_shape=input_shape,
            outputs={None: None, True: LOGITS, False: PROBABILITIES}[logits],
            arch=arch,
            trust=trust,
        )
        found = running.run(subject, dataset, only=only or (), expected=expected, tell=tell)
    command = shlex.join(["mnistrobust", *sys.argv[1:]])
    texts = {
        "battery.json": json.dumps(found.to_json(), indent=1) + "\n",
        "battery.md": showing.markdown(found, command),
    }
    for name, text in texts.items():
        (report / name).write_text(text, "utf-8")
    if as_json:
        print_json(found.to_json())
    else:
        showing.print_report(found)
    _note(f"Report: {report / 'battery.md'} and battery.json")
    raise typer.Exit(0 if found.good else 1)


def export_views(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
    data: Data = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Write the battery's inputs, for a model that runs elsewhere."""
    from mnistrobust.battery import exporting, showing

    dataset = _dataset(data, offline=offline)
    with showing.progress() as tell:
        tell(f"writing {folder / exporting.INPUTS}")
        written = exporting.export(dataset, folder)
    if as_json:
        print_json({"dataset": dataset.name, "files": [str(each) for each in written]})
    else:
        for each in written:
            typer.echo(inert(each))


def _expected(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, reason = each.partition("=")
        if not equals or not reason.strip():
            raise UsageError(f"--expect-failure {each}: expected SPEC=REASON.")
        found[name.strip()] = reason.strip()
    return found


def _dataset(data: str | None, *, offline: bool) -> "Dataset":
    from mnistrobust.data import decide, load

    source = decide(data, offline=offline)
    _note(f"data: {source}")
    if source.notice:
        _note(source.notice)
        _note(_LEAKED)
    return load(source)


def _note(text: str) -> None:
    from mnistrobust.rendering import note

    note(text)
