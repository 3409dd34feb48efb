"""Keys of the store: a digest of all that a result depends on (recipe, seed, data, versions, code)."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnistrobust.architectures import Replaced, recipes_with, replaced_by, source_digest
from mnistrobust.backend import THREADS
from mnistrobust.conditions import CONDITIONS, Condition, condition_named
from mnistrobust.errors import UsageError
from mnistrobust.models import ARCHITECTURES, Architecture
from mnistrobust.recipes import RECIPES, Recipe, recipe_named
from mnistrobust.registry import load_claims
from mnistrobust.store import Key, Store, code
from mnistrobust.store.store import SHORT


@cache
def versions() -> dict[str, str]:
    """Return the package versions that a result depends on."""
    return {name: version(name) for name in ("tensorflow", "keras", "numpy", "numba", "scipy")}


# Variables, by their first letters, with which libraries compute, and so round, differently.
_ROUNDING = (
    *("NUMBA_CPU_", "NUMBA_ENABLE_AVX", "NUMBA_DISABLE_INTEL_SVML", "OPENBLAS_CORETYPE", "NPY_"),
    *("MKL_CBWR", "MKL_DEBUG_CPU", "MKL_ENABLE", "ONEDNN_", "DNNL_", "TF_ENABLE_", "TF_DISABLE_"),
    *("TF_XLA_", "XLA_", "TF_DETERMINISTIC", "GLIBC_TUNABLES"),
)
_NUMBA_SETTINGS = Path(".numba_config.yaml")


@cache
def surroundings() -> dict[str, str]:
    """Return what else a result depends on: variables and a file that few set, or nothing."""
    found = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_ROUNDING)}
    if _NUMBA_SETTINGS.is_file():
        found["numba"] = _NUMBA_SETTINGS.read_text("utf-8", "replace")
    return found


@cache
def model_key(recipe: Recipe, seed: int, data_digest: str) -> Key:
    """Return the store's key of a recipe's weights."""
    facts: dict[str, object] = {
        "recipe": recipe.to_json(),
        "seed": seed,
        "data": data_digest,
        "versions": versions(),
        "threads": THREADS,
        "device": "cpu",
        "code": training_code(recipe),
        **({"surroundings": surroundings()} if surroundings() else {}),
    }
    return Key("models", f"{recipe.name}-seed{seed}", facts)


def recipe_digest(recipe: Recipe) -> str:
    """Digest what a recipe's training depends on, except seed, data and versions."""
    return Key("recipes", "", {"recipe": recipe.to_json(), "code": training_code(recipe)}).digest


@cache
def code_digests() -> dict[str, str]:
    """Return a digest of each piece of code that evidence depends on, by the name of the piece.

    The pieces are each recipe's training, each condition's evaluation, the figures of an
    evaluation, and each claim's spec with its words.
    """
    specs = code.suite_root() / "specs" / "claims"
    digests = {f"recipe {name}": recipe_digest(recipe) for name, recipe in RECIPES.items()}
    digests |= {f"condition {each.name}": evaluation_code(each) for each in CONDITIONS.values()}
    digests["figures"] = _own("mnistrobust.evaluations:Evaluation", "mnistrobust.metrics")
    for claim in load_claims().values():
        spec = specs / f"test_{claim.family}.py"
        digests[f"claim {claim.id}"] = code.digest(f"{spec}:test_{claim.name}")
    return {name: digest[:20] for name, digest in digests.items()}


def training_code(recipe: Recipe) -> list[str]:
    """Return digests of the code that a recipe's training runs, without other recipes' code."""
    transforms = (recipe.transform, "with_noise_class" if recipe.noise_class else None)
    return [
        code.digest("mnistrobust.training:train", skip=_UNRELATED),
        *_building_code(recipe.architecture),
        *(_own(f"mnistrobust.transforms:{name}") for name in transforms if name),
    ]


def _building_code(architecture: Architecture) -> list[str]:
    if isinstance(architecture, Replaced):  # any engine may train what the reader has built
        engines = (f"mnistrobust.engine.{each.engine}" for each in ARCHITECTURES.values())
        ours = _own("mnistrobust.architectures:built")
        return [code.digest(*engines), ours, architecture.place, architecture.source]
    builder = _own(f"mnistrobust.models:{architecture.builder.__name__}")
    return [code.digest(f"mnistrobust.engine.{architecture.engine}"), builder]


def _own(*roots: str) -> str:
    return code.digest(*roots, skip=_UNRELATED[2:])


@cache
def evaluation_code(condition: Condition) -> str:
    """Digest the code that an evaluation runs, except the model's and the figures'."""
    skip = (*_UNRELATED[2:], "mnistrobust.evaluations:Evaluation")
    evaluate = "mnistrobust.evaluations:evaluate"
    if condition.perturbation is None:
        draws = getattr(condition.draws, "func", condition.draws)  # of a condition at a dose
        return code.digest(f"{draws.__module__}:{draws.__name__}", evaluate, skip=skip)
    function = condition.perturbation.function
    roots = ["mnistrobust.conditions:perturbed", evaluate]
    if function.__module__.startswith(f"{code.PACKAGE}."):
        return code.digest(*roots, f"{function.__module__}:{function.__name__}", skip=skip)
    return f"{code.digest(*roots, skip=skip)} {source_digest(function.__module__)}"


@cache
def reader_code() -> str:
    """Digest the code from stored weights to logits, except the engine: the model's key has it."""
    skip = (*_UNRELATED, "mnistrobust.engine")
    return code.digest("mnistrobust.training:rebuilt", "mnistrobust.training:reader", skip=skip)


def unused(
    store: Store,
    is_current: Callable[[Mapping[str, Any]], bool],
    recipes: Collection[Recipe],
    conditions: Collection[Condition],
) -> list[Path]:
    """Return the files of the entries that today's code, with its packages, would not look for.

    `is_current` decides on the facts of what is neither a model nor an evaluation. `recipes` and
    `conditions` are looked for beside the document's. A network of your own architecture is looked
    for only from the folder of its module. What cannot be read is left alone, with what was made
    of it.
    """
    facts, named = store.facts(), {each.name: each for each in conditions}

    def is_made(facts: Mapping[str, Any], trained: Collection[str]) -> bool:
        """Return whether today's code makes an entry, given the short digests of the models it makes."""
        model = str(facts.get("model") or "")[:SHORT]
        with suppress(UsageError):  # no such recipe or condition any more, or no such module here
            if recipe := facts.get("recipe"):
                own = [f"{recipe['architecture']}={each}" for each in facts["code"] if ":" in each]
                found = recipe_named(recipe["name"], recipes_with(replaced_by(own)))
                alike = (found, *(each for each in recipes if each.name == found.name))
                seed, data = facts["seed"], facts["data"]
                return any(model_key(each, seed, data).facts == facts for each in alike)
            if name := facts.get("condition"):
                condition = named.get(name) or condition_named(name)
                today = evaluation_code(condition), reader_code()
                return model in trained and today == (facts["code"], facts["reader"])
            # a side of a comparison; without a model, it is trained by a function of the user's
            return model in {"", *trained} and is_current(facts)
        return False

    trained = {Key("", "", each).short for each in facts.values() if is_made(each, ())}
    trained |= {path.stem.rpartition("-")[2] for path in store.entries() if path not in facts}
    return [path for path in facts if not is_made(facts[path], trained)]


# Training refers to these; their digests are left out (the first two: function by function).
_UNRELATED = (
    "mnistrobust.models",
    "mnistrobust.transforms",
    "mnistrobust.errors",
    "mnistrobust.data.dataset:Source",
    "mnistrobust.store.store",
)
