"""Training of the study's three networks in compiled loops, equal to Keras's step for step.

Keras decides what a network is; an engine trains it faster.  `engine_for` reads a built and
compiled Keras model and gives an engine only where that engine trains exactly this model;
otherwise the caller trains with `model.fit`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

__all__ = ["Engine", "OnEpoch", "Weights", "compile_engine", "engine_for", "is_compiled"]

Weights = list[NDArray[np.float32]]
"""A network's arrays in the order of Keras's `Model.get_weights()`."""

OnEpoch = Callable[[int, float, float, Weights], None]
"""Called after each epoch: its number from 1, mean training loss, training accuracy, weights.

Loss and accuracy are running means over the epoch's batches with dropout on, as `fit` reports.
"""

_MODULES = ("dense", "recurrent", "convolution")


class Engine(Protocol):
    """One architecture and one optimizer, ready to train any weights of that shape."""

    def fit(
        self,
        weights: Weights,
        images: NDArray[np.float32],
        labels: NDArray[Any],
        *,
        epochs: int,
        batch_size: int,
        order: np.random.Generator,
        dropout: np.random.Generator,
        on_epoch: OnEpoch | None = None,
    ) -> Weights:
        """Return the weights after `epochs` epochs; change none of the arguments' arrays.

        `images` is (n, *input shape) float32, `labels` (n,) integers below the output width.
        Each epoch is one permutation drawn from `order`, cut into batches; the last may be
        smaller.  Dropout masks are seeded from `dropout`.  The optimizer starts afresh.  Equal
        arguments give equal bytes on one machine.  Raises ValueError for arrays that do not fit.
        """
        ...

    def logits(self, weights: Weights, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (n, outputs) values before the softmax, with dropout off."""
        ...


def engine_for(model: keras.Model) -> Engine | None:
    """Return an engine that trains exactly `model`, or None where there is none.

    None also where numba is not installed.  Imports numba, but not TensorFlow.
    """
    try:
        import numba  # noqa: F401
    except ImportError:
        return None
    for name in _MODULES:
        module = importlib.import_module(f"{__name__}.{name}")
        engine: Engine | None = module.match(model)
        if engine is not None:
            return engine
    return None


def compile_engine(model: keras.Model) -> None:
    """Compile what trains and reads `model`, so that later processes load it from disk.

    Does nothing where no engine trains the model.
    """
    engine = engine_for(model)
    if engine is None:
        return
    from mnistrobust.engine.machine_code import mark_compiled

    rng = np.random.default_rng(0)
    images = np.zeros((1, *model.input_shape[1:]), np.float32)
    weights = engine.fit(
        model.get_weights(), images, np.zeros(1), epochs=1, batch_size=32, order=rng, dropout=rng
    )
    engine.logits(weights, images)
    mark_compiled(type(engine).__module__)


def is_compiled(module: str) -> bool:
    """Return whether a module of this package need not be compiled first, or cannot be kept."""
    try:
        from mnistrobust.engine.machine_code import marked_compiled
    except ImportError:
        return True
    return marked_compiled(f"{__name__}.{module}")
