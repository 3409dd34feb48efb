"""What stored results depend on: recipe, seed, data, versions and code, as keys of the store."""

from functools import cache
from importlib.metadata import version

from mnistrobust import code
from mnistrobust.backend import THREADS
from mnistrobust.models import ARCHITECTURES, Architecture, architecture_named
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.replacing import Replaced
from mnistrobust.store import Key
from mnistrobust.views import VIEWS, view_named

VERSIONS_OF = ("tensorflow", "keras", "numpy", "numba", "scipy")


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {name: version(name) for name in VERSIONS_OF}


@cache
def model_key(recipe: Recipe, seed: int, data_digest: str) -> Key:
    """Return the store's key of a recipe's weights."""
    facts = {
        "recipe": recipe.to_json(),
        "seed": seed,
        "data": data_digest,
        "versions": versions(),
        "threads": THREADS,
        "device": "cpu",
        "code": training_code(recipe),
    }
    return Key("models", f"{recipe.name}-seed{seed}", facts)


def recipe_digest(recipe: Recipe) -> str:
    """Return the digest of what a recipe's training depends on, but seed, data and versions."""
    return Key("recipes", "", {"recipe": recipe.to_json(), "code": training_code(recipe)}).digest


def code_digests() -> dict[str, str]:
    """Return a digest of what training each recipe and reading each view runs through."""
    recipes = {f"recipe {name}": recipe_digest(recipe) for name, recipe in RECIPES.items()}
    digests = recipes | {f"view {name}": reading_code(name) for name in VIEWS}
    return {name: digest[:20] for name, digest in digests.items()}


def training_code(recipe: Recipe) -> list[str]:
    """Digest what a recipe's training runs through, and nothing that others' does."""
    architecture = architecture_named(recipe.architecture)
    return [
        code.digest("mnistrobust.training:train", skip=_UNRELATED),
        *_building_code(architecture),
        *(
            code.digest(f"mnistrobust.transforms:{name}", skip=_UNRELATED[2:])
            for name in (recipe.transform, "with_noise_class" if recipe.noise_class else None)
            if name
        ),
    ]


def _building_code(architecture: Architecture) -> list[str]:
    if isinstance(architecture, Replaced):  # any engine may train what the reader has built
        engines = (f"mnistrobust.engine.{each.engine}" for each in ARCHITECTURES.values())
        ours = code.digest("mnistrobust.replacing:built", skip=_UNRELATED[2:])
        return [code.digest(*engines), ours, architecture.place, architecture.source]
    return [
        code.digest(f"mnistrobust.engine.{architecture.engine}"),
        code.digest(f"mnistrobust.models:{architecture.builder.__name__}", skip=_UNRELATED[2:]),
    ]


@cache
def reading_code(view: str) -> str:
    """Digest what a reading on a view runs through, but the model.

    What is stored are answers; figures are computed from them by the methods of today.
    """
    skip = (*_UNRELATED[2:], "mnistrobust.readings:Reading")
    draws = view_named(view).draws.__name__
    return code.digest(f"mnistrobust.views:{draws}", "mnistrobust.readings:read", skip=skip)


@cache
def reader_code() -> str:
    """Digest what takes stored weights to the logits of a view's images, but the engine.

    The engine that a model was trained by is part of the model's key.
    """
    skip = (*_UNRELATED, "mnistrobust.engine")
    return code.digest("mnistrobust.training:rebuilt", "mnistrobust.training:reader", skip=skip)


# What training refers to but does not depend on: the first two are digested function by function.
_UNRELATED = (
    "mnistrobust.models",
    "mnistrobust.transforms",
    "mnistrobust.errors",
    "mnistrobust.data:Source",
    "mnistrobust.store",
)
