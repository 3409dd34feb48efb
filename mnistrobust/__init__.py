"""A research notebook's claims about MNIST classifiers, as an executable specification.

In a notebook, `import mnistrobust as mr` gives `mr.claims()`, `mr.read("ann", on="clean")`,
`mr.verify()`, and the document's helper functions. The public names load on first use: importing
the package imports neither TensorFlow nor pandas.
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
    "MnistRobustError": "errors",
    "confidence": "document",
    "confidence_distribution": "document",
    "display": "document",
    "load": "document",
    "model_predictions": "document",
    "model_stats": "document",
    "noise_analysis": "document",
    "show_mistake": "document",
    "shuff_together": "document",
    "create_ann": "models",
    "create_cnn": "models",
    "create_rnn": "models",
    "Ledger": "notebook",
    "model": "notebook",
    "read": "notebook",
    "show": "notebook",
    "verify": "notebook",
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

__all__ = ["claims", *sorted(_HOMES)]  # noqa: PLE0604 - a list, made from the table above


def __getattr__(name: str) -> Any:
    """Import a public name from its module; `claims` is a module that can be called."""
    if name == "claims":
        return import_module(f"{__name__}.claims")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
