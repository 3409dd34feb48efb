"""A research notebook's claims about MNIST classifiers, as an executable specification.

The public names load on first use: importing the package imports neither TensorFlow nor pandas.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Claim": "claims",
    "claim_named": "claims",
    "load_claims": "claims",
    "Dataset": "data",
    "Source": "data",
    "decide": "data",
    "load": "data",
    "MnistRobustError": "errors",
    "create_ann": "models",
    "create_cnn": "models",
    "create_rnn": "models",
    "Reading": "readings",
    "RECIPES": "recipes",
    "Recipe": "recipes",
    "Store": "store",
    "open_store": "store",
    "invert": "transforms",
    "offset_noise": "transforms",
    "pure_noise": "transforms",
    "threshold": "transforms",
    "VIEWS": "views",
    "View": "views",
    "World": "world",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, made from the table above


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
