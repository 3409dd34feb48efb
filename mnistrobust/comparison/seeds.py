"""Several networks of one way to train: a recipe, or a function of the user's, with several seeds."""

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mnistrobust.checks.model import FRAMEWORKS, UNIT, imported
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import ModelError, naming
from mnistrobust.checks.session import Session
from mnistrobust.comparison.sides import (
    SETS,
    Side,
    arrays_of,
    definitions,
    meta_of,
    side_from,
    side_of,
    together,
)
from mnistrobust.data import Source, load
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate, cluster
from mnistrobust.replicates.keys import versions
from mnistrobust.replicates.schedule import in_processes
from mnistrobust.store import Entry, Key, Store, code

_PACKAGES = {"sklearn": "scikit-learn"}
Tell = Callable[[str, float], None]


def trained(
    given: str,
    seeds: Sequence[int],
    source: Source,
    store: Store,
    *,
    workers: int,
    scheduler: str | None = None,
    on: tuple[str, ...] = (),
    tell: Tell,
) -> Side:
    """Return the networks that a recipe or a training function gives for `seeds`, as one side.

    `given` is a recipe, or `package.module:train`, a function `train(images, labels, seed)` that returns a
    model; images (n, 784) are float32 in [0, 1]. What the store has is not trained again, unless a file that
    the function uses has changed. Networks are trained in parallel processes; a recipe's on a Dask `scheduler`
    if there is one. Raises ModelError, in one line.
    """
    sides = {seed: side for seed in seeds if (side := _stored(given, seed, source, store, on))}
    missing = [seed for seed in seeds if seed not in sides]

    def told() -> None:
        tell(f"{given}: {len(sides)} of {len(seeds)} networks trained", len(sides) / len(seeds))

    if missing:
        if scheduler:
            cluster.networks([given], missing, source, store, scheduler, tell)
        told()
        calls = [(given, seed, source, store.root, on) for seed in missing]
        for seed, side in in_processes(_train, calls, min(workers, len(missing))):
            sides[seed] = side
            told()
    return together(given, {seed: sides[seed] for seed in seeds})


def network(recipe: str, seed: int, source: Source, store: Store, on: tuple[str, ...] = ()) -> Side:
    """Return what a recipe's network of one seed predicts; it is trained if the store lacks it."""
    side = _stored(recipe, seed, source, store, on)
    return replace(side or _train(recipe, seed, source, store.root, on)[1], name=recipe)


def _train(
    given: str, seed: int, source: Source, root: Path, on: tuple[str, ...]
) -> tuple[int, Side]:
    store, dataset, name = Store(root), load(source), f"{given} (seed {seed})"
    if given in RECIPES:
        model = Replicate(seed, source, store).model(given)
    else:
        with naming(given, ": its import raised"):
            train = imported(given)
            try:
                inspect.signature(train).bind("images", "labels", "seed")
            except TypeError as error:
                raise ModelError(
                    f"expected a function train(images, labels, seed): {error}."
                ) from error
        with naming(name), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # once for each network would hide the progress
            model = train(dataset.train_images.copy(), dataset.train_labels.copy(), seed)
    side = side_of(Session(open_model(model, dataset, name=name, pixels=UNIT), dataset), on)
    uses = {} if given in RECIPES else _used()
    store.put(
        _key(given, seed, source, on), Entry(arrays_of(side), {**meta_of(side), "uses": uses})
    )
    return seed, side


def _stored(
    given: str, seed: int, source: Source, store: Store, on: tuple[str, ...]
) -> Side | None:
    entry = store.get(_key(given, seed, source, on))
    if entry is None or any(_now(name) != was for name, was in entry.meta["uses"].items()):
        return None
    return side_from(entry.tensors, entry.meta)


def _key(given: str, seed: int, source: Source, on: tuple[str, ...]) -> Key:
    facts: dict[str, Any] = {"seed": seed, "data": source.digest, **_today(on)}
    if given in RECIPES:
        facts["model"] = Replicate(seed, source, Store(Path())).model_key(given).digest
    else:
        facts["train"] = given
        facts["folder"] = str(Path.cwd())
    label = "".join(letter if letter.isalnum() else "-" for letter in given)[:60]
    return Key("comparisons", f"{label}-{source.name}-seed{seed}", facts)


def is_current(facts: Mapping[str, Any]) -> bool:
    """Return whether today's code still looks for sides with these facts, whatever their model."""
    today = _today(tuple(name for name in facts["sets"] if name not in SETS))
    return all(facts.get(name) == value for name, value in today.items())


def _today(on: tuple[str, ...]) -> dict[str, Any]:
    side = code.digest("mnistrobust.comparison.sides:side_of")
    return {"sets": definitions(on), "versions": versions(), "code": side}


def _used() -> dict[str, str]:
    """Return what this process imported: own files by digest, frameworks by version."""
    return {name: _now(name) for name in _names()}


def _names() -> Iterator[str]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith(".py") and code.is_own(Path(file)):
            yield file.removeprefix(f"{Path.cwd()}{os.sep}")
    yield from (name for name in FRAMEWORKS if name in sys.modules)


def _now(name: str) -> str:
    with suppress(OSError, SyntaxError, ValueError):
        if name.endswith(".py"):
            return code.digest_of_file(Path(name))
    with suppress(PackageNotFoundError):
        return version(_PACKAGES.get(name, name))
    return "gone"
