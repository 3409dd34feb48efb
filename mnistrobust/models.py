"""The document's three architectures, as builders of compiled Keras models.

Images are floats with 1.0 as full ink, outputs probabilities (n, `op` classes); all are compiled with
Adam and sparse categorical cross-entropy. To add one, add its builder to `ARCHITECTURES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mnistrobust.backend import import_keras
from mnistrobust.errors import unknown


def create_ann(op: int = 10) -> Any:
    """Return the document's ANN for (n, 784): three layers of 128 ReLU units with dropout 0.2."""
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
    """Return the document's RNN: an LSTM of 128 units over the rows, with max-pooling over time.

    It takes images (n, 28, 28). Input dropout is 0.2, with one mask per image for all 28 rows.
    """
    layers = import_keras().layers
    return _compiled(
        layers.Input((28, 28)),
        layers.LSTM(128, return_sequences=True, dropout=0.2),
        layers.GlobalMaxPooling1D(),
        layers.Dense(op, activation="softmax"),
    )


def create_cnn(op: int = 10) -> Any:
    """Return the document's CNN for (n, 28, 28, 1): 256 filters of 3 x 3, max-pooling, 64 linear units."""
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
    """A named builder, and what the scheduler and the store need to know about it."""

    name: str
    builder: Callable[[int], Any]
    engine: str  # the module of `mnistrobust.engine` that may train it
    cost: float  # seconds for a thousand images, roughly: what takes longest starts first


ANN = Architecture(name="ann", builder=create_ann, engine="dense", cost=0.012)
RNN = Architecture(name="rnn", builder=create_rnn, engine="recurrent", cost=0.13)
CNN = Architecture(name="cnn", builder=create_cnn, engine="convolution", cost=0.4)

ARCHITECTURES = MappingProxyType({each.name: each for each in (ANN, RNN, CNN)})


def architecture_named(name: str) -> Architecture:
    """Return the architecture of that name; raise UsageError with the nearest if there is none."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    return ARCHITECTURES[name]
