"""Open a model: a Python object, a module's, a file, or recorded predictions."""

import os
import re
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mnistrobust.checks import formats, predictions
from mnistrobust.checks.child import Child
from mnistrobust.checks.input_format import detected
from mnistrobust.checks.model import (
    UNIT,
    Model,
    Pixels,
    callable_of,
    framework_versions,
    imported,
    stated_shape,
)
from mnistrobust.checks.outputs import ModelError, checked_outputs, naming
from mnistrobust.data import Dataset, standing
from mnistrobust.errors import cause, unknown
from mnistrobust.files import regular
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.seeds import SUITE_SEED
from mnistrobust.store import open_store

EXPECTED = (
    "expected package.module:predict, a recipe, a model file (.onnx, .safetensors; with --trust "
    ".keras, .h5, .pt or a SavedModel folder) or predictions (.npz)"
)
_CALLABLE = re.compile(r"[^\W\d]\w*(?:\.\w+)*:[^\W\d]\w*(?:\.\w+)*")
_DEFINED = re.compile(r"^(?:def ([^\W_]\w*)|([^\W_]\w*) *= *[^\W\d])", re.MULTILINE)
_NAMED = 5  # objects of a module that an error names: the last ones, since a model comes last
_LARGEST = 1 << 30  # bytes; the document's CNN with its optimizer's state takes 33 MB


def open_model(
    given: Any,
    dataset: Dataset,
    *,
    name: str | None = None,
    input_shape: str | None = None,
    pixels: Pixels | None = None,
    outputs: str | None = None,
    arch: str | None = None,
    trust: bool = False,
    seconds: float | None = None,
    call_seconds: float | None = None,
) -> Model:
    """Return the model that `given` is or names, with what it expects found out on 300 digits.

    `given` is an object of any framework (called `name` in errors), a recipe (its network of seed 0),
    `package.module:predict`, or a file's path. A module may run any code; its `decide()` gives the
    set of `dataset`. `trust` lets a file run code. `arch` is the architecture of a file of weights;
    an `.npz` without it has predictions. Modules and files run in a process of their own, for
    `seconds` (default: 120 and 0.02 an image), or, with `call_seconds`, for that many seconds a call.

    `input_shape` is one of SHAPES, `pixels` the values of no ink and of full ink, `outputs`
    "logits" or "probabilities": by default what makes the model accurate, and [0, 1] where no
    others are clearly better. Of pixels that make it as accurate, those with a clearly lower loss count.
    Raises ModelError, in one line, for what is no model, cannot be loaded or called, or is as accurate
    in several ways.
    """
    how: dict[str, Any] = {"input_shape": input_shape, "pixels": pixels, "outputs": outputs}
    if not isinstance(given, str | Path):
        label = name or str(getattr(given, "__name__", type(given).__name__))
        with naming(label):
            call = callable_of(given)

        def predict(images: np.ndarray) -> np.ndarray:
            with naming(label), np.errstate():  # what the model sets ends with its call
                return checked_outputs(call(images), len(images))

        model = detected(predict, stated_shape(given), label, dataset, **how)
        return replace(model, versions=framework_versions())
    given = str(given)
    module = check_given(given)
    recipe = given in RECIPES and not os.path.lexists(given)
    if (module or recipe) and (arch or trust):
        raise ModelError(f"{given}: --arch and --trust are for model files; leave them out.")
    if recipe:
        trained = Replicate(SUITE_SEED, dataset.source, open_store()).model(given)
        return open_model(trained, dataset, name=given, **{**how, "pixels": pixels or UNIT})
    with standing(dataset.source):  # a module may train on this set
        if sys.platform == "win32" and module:  # no process takes our pipe over there
            with naming(given, ": it cannot be loaded:"):
                found = imported(given)
            return open_model(found, dataset, name=given, **how)
        limits = {"seconds": seconds, "call_seconds": call_seconds}
        child: Any = (
            _recorded_here(Path(given), arch)
            if sys.platform == "win32"
            else Child(given, module=module, arch=arch, trust=trust, **limits)
        )
    if child.holds_predictions:
        if input_shape or pixels:
            raise ModelError(f"{given}: predictions take no images; leave out how they are read.")
        return predictions.recorded(child, child.name, dataset, outputs=outputs)
    model = detected(child, child.input_shape, child.name, dataset, **how)
    return replace(model, versions=child.versions)


def check_given(given: str) -> bool:
    """Return whether `given` names a module's object, no recipe or file; ModelError for nothing.

    Nothing is run or loaded.
    """
    if given in RECIPES and not os.path.lexists(given):
        return False
    module = _CALLABLE.fullmatch(given) is not None and not os.path.lexists(given)
    if not module:
        _check_no_module(given)
        _check_file(given)
        return False
    file, ending, attribute = given.partition(".py:")
    if ending:
        raise ModelError(f"{given}: expected a module; name {file}:{attribute} in its own folder.")
    top = re.split(r"[.:]", given)[0]
    if top not in sys.modules and not PathFinder.find_spec(top, [str(Path.cwd()), *sys.path]):
        with naming(given):
            imported(given)  # it says where it has looked
    return True


def check_name(given: str, kind: str, known: Iterable[str]) -> None:
    """Raise UsageError with the nearest known names, unless it is one, an object or a path."""
    _check_no_module(given)
    if given not in known and not (":" in given or Path(given).suffix or os.path.lexists(given)):
        raise unknown(kind, given, known)


def _check_no_module(given: str) -> None:
    """Raise ModelError with its objects for a module without the name of one; run nothing."""
    path = Path(f"{given.removesuffix('.py').replace('.', '/')}.py")
    if os.path.lexists(given) and path != Path(given):
        return
    try:
        found = _DEFINED.findall(regular(path).read_text("utf-8", "replace"))
    except (
        OSError,
        ValueError,
    ):  # too long a name, no such file, no regular one, no right to read it
        return
    names = list(dict.fromkeys(name for pair in found for name in pair if name))[-_NAMED:]
    module = path.stem if given.endswith(".py") else given
    said = " or ".join(f"{module}:{name}" for name in names) or f"{module}:predict"
    raise ModelError(f"{Path(given).name}: a module holds several objects; name its model: {said}.")


def _check_file(given: str) -> None:
    try:
        status = Path(given).stat()
    except FileNotFoundError as error:
        raise ModelError(f"{given}: {_instead(given) or f'no such file; {EXPECTED}'}.") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{given}: {cause(error)}.") from error
    if stat.S_ISDIR(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{given}: neither a file nor a folder; {EXPECTED}.")
    if not 0 < status.st_size <= _LARGEST:
        size = f"{status.st_size / 2**20:,.0f} MiB" if status.st_size else "empty"
        raise ModelError(f"{given}: it is {size}; expected a model of 1 to {_LARGEST:,} bytes.")


def _recorded_here(path: Path, arch: str | None) -> Any:
    """Return recorded predictions as a Child has them; ModelError for a model file."""
    with naming(path.name, ": it cannot be loaded:"):
        if arch or formats.format_of(path) != "NPZ":
            raise ModelError(
                "on Windows a model file is not loaded: name package.module:predict, a function "
                "that loads it and predicts"
            )
        file = formats.load(path, None, trust=False, framework=lambda: None)
        archive: Any = file.recorded
        with archive:  # here no process ends, which would close it
            file = replace(file, recorded=dict(archive))
    return SimpleNamespace(holds_predictions=True, name=path.name, recorded=file.recorded_for)


def _instead(given: str) -> str:
    """Return what to name instead of a.b.name, a/b.py:name or a-b:name; nothing where no a/b.py is."""
    module, colon, name = given.partition(":")
    if not colon:
        module, _, name = given.rpartition(".")
    file = Path(module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    with suppress(OSError, ValueError):
        if not name or not file.is_file():
            return ""
        parts = file.with_suffix("").parts
        if all(part.isidentifier() for part in parts):
            return f"expected a module; name {'.'.join(parts)}:{name}"
        if file.stem.isidentifier():
            return f"expected a module; name {file.stem}:{name} in its own folder"
        fit = re.sub(r"\W", "_", file.stem)
        return f"{file.name} cannot be imported under this name; rename it, as {fit}.py"
    return ""
