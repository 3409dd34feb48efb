"""What several commands do; each imports what it needs when it runs, so that help is quick."""

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mnistrobust.errors import UsageError
from mnistrobust.files import regular, write_whole

_LARGEST = 1e6  # of a pixel: sums of larger ones may leave float32

if TYPE_CHECKING:
    from mnistrobust.conditions import Condition
    from mnistrobust.data import Source


def print_result(
    value: Any, as_json: bool, tell: Callable[[], object], markdown: str | None = None
) -> None:
    """Print a result: a value as JSON, or Markdown where it is given, or what `tell` prints."""
    if as_json:
        sys.stdout.write(json.dumps(value, indent=1) + "\n")
    elif markdown is not None:
        typer.echo(markdown, nl=False)
    else:
        tell()


def print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Print names and values, as JSON or a line each."""
    from mnistrobust.report import console

    print_result(facts, as_json, lambda: console.mapping(facts))


def decided(data: str | None, offline: bool, *, model: bool = False) -> "Source":
    """Return the data set, and say in one line which it is and what it is too small for."""
    from mnistrobust.data import decide
    from mnistrobust.report import console

    source = decide(data, offline=offline)
    lacks = "no test of models trained on MNIST" if model else "a rehearsal, which judges no claim"
    hint = f", {lacks}; see 'mnistrobust data'" * bool(source.notice)
    console.note(f"data: {source.name}{hint}")
    return source


def with_doses(on: Iterable[str] | None) -> "list[Condition]":
    """Return the conditions that `--on` names; UsageError for one without a dose."""
    from mnistrobust.conditions import condition_named

    conditions = [condition_named(name) for name in on or ()]
    for each in conditions:
        if each.perturbation is None:
            raise UsageError(f"--on {each.name}: expected a dose, such as rotate:15.")
    return conditions


def reading(input_shape: str | None, pixels: str | None, logits: bool | None) -> dict[str, Any]:
    """Return what the options say of how a model reads images, as `open_model` takes it."""
    from mnistrobust.checks.model import SHAPES
    from mnistrobust.checks.outputs import LOGITS, PROBABILITIES

    if input_shape not in {None, *SHAPES}:
        raise UsageError(f"--input-shape {input_shape}: expected one of {', '.join(SHAPES)}.")
    outputs = {None: None, True: LOGITS, False: PROBABILITIES}[logits]
    values = None if pixels is None else _pixels(pixels)
    return {"input_shape": input_shape, "pixels": values, "outputs": outputs}


def _pixels(text: str) -> tuple[float, float]:
    try:
        none, full = map(float, text.split(".."))
    except ValueError:
        none = full = 0.0
    if none == full or not all(abs(each) < _LARGEST for each in (none, full)):
        raise UsageError(f"--pixels {text}: expected NONE..FULL, as 0..255, or 1..0 for inverted.")
    return none, full


def check_file(option: str, path: Path | None, *, picture: bool = False) -> None:
    """Fail before a long run where a file, or a picture, cannot be written; UsageError."""
    if path is None:
        return
    try:
        regular(path)
        if path.is_dir():
            raise UsageError(f"{option} {path}: it is a folder; expected a file.")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{option} {path}: expected a file in an existing folder; make it.")
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}; name another file.") from error
    if picture and path.suffix:
        from matplotlib.backend_bases import FigureCanvasBase

        if path.suffix[1:].lower() not in FigureCanvasBase.get_supported_filetypes():
            raise UsageError(f"{option} {path}: expected a picture, as {path.stem}.png or .svg.")


def write_file(option: str, path: Path, text: str) -> None:
    """Write a file whole or not at all; UsageError names the option."""
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}; name another.") from error


def earlier(path: Path) -> str:
    """Return whose report is replaced, in words; nothing where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return f", in place of the report on {json.loads(path.read_text('utf-8'))['model']}"
    return ""
