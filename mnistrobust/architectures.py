"""Replace ann, rnn or cnn by a Keras architecture of your own, in every recipe of its family.

The recipes keep their names and seeds. Their stored results get keys of their own, because the
builder's source is part of the key.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust.backend import import_keras, standard_settings
from mnistrobust.errors import UsageError, cause
from mnistrobust.models import Architecture, architecture_named
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.store import code

INPUTS = ((784,), (28, 28), (28, 28, 1))
_EXPECTED = "expected FAMILY=package.module:function, such as ann=my_models:create_mlp"
_PROBES = 8
_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Replaced(Architecture):
    """An architecture of your own: its `place`, as `module:function`, and the digest of its source."""

    place: str
    source: str


def replaced_by(texts: Iterable[str]) -> Mapping[str, Replaced]:
    """Return architectures of your own by family, from texts of the form `family=module:function`.

    Imports nothing. Raises UsageError for another form, an unknown family, a family named twice,
    or a module that cannot be found.
    """
    found: dict[str, Replaced] = {}
    for given in texts:
        family, _, place = given.partition("=")
        module, colon, function = place.partition(":")
        if not (family and colon and function.isidentifier()):
            raise UsageError(f"--model {given}: {_EXPECTED}.")
        named = architecture_named(family)
        if family in found:
            raise UsageError(f"--model {given}: {family} is replaced twice; name it once.")
        found[family] = Replaced(
            name=family,
            builder=partial(built, place),
            engine=named.engine,
            cost=named.cost,
            place=place,
            source=source_digest(module),
        )
    return MappingProxyType(found)


def recipes_with(replaced: Mapping[str, Replaced]) -> Mapping[str, Recipe]:
    """Return the document's recipes by name, with the `replaced` architectures put in."""
    recipes = dict(RECIPES)
    for name, recipe in RECIPES.items():
        if own := replaced.get(recipe.architecture.name):
            recipes[name] = replace(recipe, architecture=own)
    return MappingProxyType(recipes)


def check(recipes: Mapping[str, Recipe]) -> None:
    """Build each replaced architecture for all its recipes; UsageError if one does not fit."""
    own = [each for each in recipes.values() if isinstance(each.architecture, Replaced)]
    for architecture, classes in dict.fromkeys((each.architecture, each.classes) for each in own):
        with standard_settings():
            architecture.builder(classes)


def source_digest(module: str) -> str:
    """Return the digest of a module or its package, and of your files that it imports, without comments.

    Files are followed from one to the next, but not into installed packages. Imports nothing. Raises
    UsageError where the module is not found.
    """
    top = module.partition(".")[0]
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    files = _sources(top)
    if not files:
        raise UsageError(
            f"Found no module '{top}' with a source in {Path.cwd()} or among the installed "
            f"packages; run the command in its folder."
        )
    seen, pending = {top}, [*filter(code.is_own, files.values())]
    try:
        for file in pending:
            for name in code.imported_by(file) - seen:
                seen.add(name)
                found = _sources(name, code.is_own)
                files |= found
                pending += found.values()
        lines = [f"{name} {code.digest_of_file(files[name])}" for name in sorted(files)]
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"The source of '{top}' cannot be read ({cause(error)}).") from error
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sources(top: str, wanted: Callable[[Path], bool] = Path.exists) -> dict[str, Path]:
    """Return the files of a module or package by name; none where it has no source, or is not wanted."""
    try:
        spec = importlib.util.find_spec(top)  # imports nothing, for a name without dots
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return {}
    places = spec.submodule_search_locations or [str(spec.origin)] * spec.has_location
    return {
        str(file.relative_to(place.parent)): file
        for place in filter(wanted, map(Path, places))
        for file in ([place] if place.suffix == ".py" else place.rglob("*.py"))
    }


def built(place: str, classes: int) -> Any:
    """Return the model that a builder makes for a number of classes, compiled as the document's.

    A model that returns logits gets a softmax layer. Raises UsageError if it is no Keras model, its
    input is not 784, 28 x 28 or 28 x 28 x 1, or its output is not `classes`.
    """
    keras = import_keras()
    what = f"--model {place}({classes})"
    try:
        model = _imported(place)(classes)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # the builder is the user's own
        raise UsageError(f"{what} raised {type(error).__name__}: {_first(error)}") from error
    if not isinstance(model, keras.Model):
        raise UsageError(f"{what}: expected a Keras model, received {type(model).__name__}.")
    taken = tuple((getattr(model, "input_shape", None) or (None,))[1:])
    if taken not in INPUTS:
        raise UsageError(
            f"{what}: expected input of 784, 28 x 28 or 28 x 28 x 1, received {taken or 'none'}; "
            f"begin the model with a keras.Input of one of these."
        )
    if tuple(model.output_shape) != (None, classes):
        raise UsageError(
            f"{what}: expected an output of {classes} classes, received {model.output_shape[1:]}."
        )
    if not _gives_probabilities(model, taken, what):
        inner = model
        model = keras.Sequential([keras.layers.Input(taken), inner, keras.layers.Softmax()])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _imported(place: str) -> Callable[[int], Any]:
    module, _, function = place.partition(":")
    try:
        found: Callable[[int], Any] = getattr(importlib.import_module(module), function)
    except AttributeError as error:
        raise UsageError(f"--model {place}: {module} has no '{function}'.") from error
    return found


def _gives_probabilities(model: Any, shape: tuple[int, ...], what: str) -> bool:
    """Return whether the model returns probabilities, not logits, judged by a few images."""
    images = np.random.default_rng(0).random((_PROBES, *shape), dtype=np.float32)
    values = np.asarray(model(images, training=False))
    if len(values) != len(images):
        raise UsageError(f"{what}: expected a row for each image, received {values.shape}.")
    within = bool((values >= 0).all() and (values <= 1 + _TOLERANCE).all())
    if within and (np.abs(values.sum(axis=1) - 1) <= _TOLERANCE).all():
        return True
    if within or not np.isfinite(values).all():
        raise UsageError(f"{what}: expected a softmax or logits, received neither.")
    return False


def _first(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
