"""A research notebook's claims about MNIST classifiers, as an executable specification.

In a notebook, `import mnistrobust as mr` gives `mr.claims()`, `mr.evaluate("ann", on="clean")`,
`mr.verify()`, and the document's helper functions. The public names load on first use: importing
the package imports neither TensorFlow nor pandas. Type checkers read `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "conditions": "CONDITIONS Condition",
    "data": "Dataset Source decide",
    "document": "confidence confidence_distribution display load model_predictions model_stats "
    "noise_analysis show_mistake shuff_together",
    "errors": "MnistRobustError",
    "evaluations": "Evaluation",
    "models": "create_ann create_cnn create_rnn",
    "notebook": "Ledger claims evaluate model show verify",
    "perturbations": "PERTURBATIONS Perturbation perturbation",
    "recipes": "RECIPES Recipe",
    "registry": "Claim claim_named load_claims",
    "replicates": "Replicate",
    "store": "Store open_store",
    "transforms": "invert offset_noise pure_noise threshold",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - made from the table above


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
