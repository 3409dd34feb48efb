"""The document's three architectures, as builders of compiled Keras models.

To add one, write a builder `create_…(op)` and name it in `ARCHITECTURES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mnistrobust.backend import import_keras
from mnistrobust.errors import unknown


def create_ann(op: int = 10) -> Any:
    """Return the document's ANN: three hidden layers of 128 ReLU units, each with dropout 0.2.

    Input (n, 784), floats with 1.0 as full ink; output (n, `op`) probabilities. Compiled with
    Adam and sparse categorical cross-entropy.
    """
    layers = import_keras().layers
    return _compiled(
        layers.Input((784,)),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(op, activation="softmax"),
    )


def create_rnn(op: int = 10) -> Any:
    """Return the document's RNN: an LSTM of 128 units over the rows, and its maxima over time.

    Input (n, 28, 28), floats with 1.0 as full ink; output (n, `op`) probabilities. Input dropout
    0.2, one mask an image for all 28 rows. Compiled with Adam and sparse categorical
    cross-entropy.
    """
    layers = import_keras().layers
    return _compiled(
        layers.Input((28, 28)),
        layers.LSTM(128, return_sequences=True, dropout=0.2),
        layers.GlobalMaxPooling1D(),
        layers.Dense(op, activation="softmax"),
    )


def create_cnn(op: int = 10) -> Any:
    """Return the document's CNN: 256 filters of 3 x 3, pooled, and a linear layer of 64.

    Input (n, 28, 28, 1), floats with 1.0 as full ink; output (n, `op`) probabilities. Compiled
    with Adam and sparse categorical cross-entropy.
    """
    layers = import_keras().layers
    return _compiled(
        layers.Input((28, 28, 1)),
        layers.Conv2D(256, (3, 3), activation="relu"),
        layers.Dropout(0.2),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(64),
        layers.Dropout(0.2),
        layers.Dense(op, activation="softmax"),
    )


def _compiled(*layers: Any) -> Any:
    model = import_keras().Sequential(list(layers))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A builder, and what the scheduler and the store need to know of it.

    `engine` is the module of `mnistrobust.engine` that may train it, `cost` the seconds that a
    thousand images of training take, roughly: what takes longest starts first.
    """

    builder: Callable[[int], Any]
    engine: str
    cost: float


ARCHITECTURES = MappingProxyType(
    {
        "ann": Architecture(builder=create_ann, engine="dense", cost=0.012),
        "rnn": Architecture(builder=create_rnn, engine="recurrent", cost=0.13),
        "cnn": Architecture(builder=create_cnn, engine="convolution", cost=0.4),
    }
)


def architecture_named(name: str) -> Architecture:
    """Return the architecture of that name; UsageError with the nearest when there is none."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    return ARCHITECTURES[name]
