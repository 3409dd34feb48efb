"""Small networks, pictures and trainings that the specs of the engines share."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.backend import import_keras
from mnistrobust.models import ARCHITECTURES

NAMES = sorted(ARCHITECTURES)
ONE_STEP = 1e-6  # largest difference of a weight after one step
BATCH = 32
ONE_STEP = 1e-6  # largest difference of a weight after one step


def build(name: str, change: Callable[[str, dict[str, Any]], None] | None = None) -> Any:
    """Return an architecture with its layers' configurations changed, compiled as it is."""
    keras = import_keras()
    config = ARCHITECTURES[name].builder(10).get_config()
    for layer in config["layers"]:
        if change is not None:
            change(layer["class_name"], layer["config"])
            layer.pop("build_config", None)  # shapes that a changed width would contradict
    model = keras.Sequential.from_config(config)
    return compiled(model)


def compiled(model: Any, **options: Any) -> Any:
    """Compile as the architectures are, but for `options`."""
    settings = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy"} | options
    model.compile(metrics=["accuracy"], **settings)
    return model


def without_dropout(_: str, config: dict[str, Any]) -> None:
    """Turn dropout off in a layer's configuration."""
    for key in {"rate", "dropout"} & set(config):
        config[key] = 0.0


def initial(model: Any, seed: int = 0) -> list[np.ndarray]:
    """Return Glorot-uniform kernels and zero biases, independent of Keras's random state."""
    rng = np.random.default_rng(seed)
    weights = []
    for array in model.get_weights():
        fan = np.prod(array.shape[:-1]) + array.shape[-1] * (9 if array.ndim == 4 else 1)
        bound = np.sqrt(6 / fan) if array.ndim > 1 else 0.0
        weights.append(rng.uniform(-bound, bound, array.shape).astype(np.float32))
    return weights


def pictures(model: Any, n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` random images, a fifth of them ink as in MNIST, and labels."""
    rng = np.random.default_rng(seed)
    shape = (n, *model.input_shape[1:])
    ink = rng.uniform(0.1, 1, shape) * (rng.random(shape) < 0.2)
    return ink.astype(np.float32), rng.integers(0, model.output_shape[-1], n)


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a copy that cannot be written to."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def trained(engine: Any, weights: Any, images: Any, labels: Any, **options: Any) -> Any:
    """Return the engine's weights after one epoch, or as `options` say."""
    seeds = {"order": np.random.default_rng(3), "dropout": np.random.default_rng(4)}
    settings = {"epochs": 1, "batch_size": BATCH} | seeds | options
    return engine.fit(weights, images, labels, **settings)


def stepped(model: Any, weights: Any, images: Any, labels: Any) -> Any:
    """Return the weights after Keras's own steps over the batches that `trained` takes."""
    model.set_weights(weights)
    order = np.random.default_rng(3).permutation(len(images))
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        model.train_on_batch(images[batch], labels[batch])
    return model.get_weights()


def largest_difference(left: Any, right: Any) -> float:
    """Return the largest difference between two lists of arrays."""
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


def digest(weights: Any) -> str:
    """Return a hash of all bytes."""
    return hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest()


def quiet() -> dict[str, str]:
    """Return the environment of a child that finds the library and uses no GPU."""
    paths = os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parent)))
    return os.environ | {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""}
