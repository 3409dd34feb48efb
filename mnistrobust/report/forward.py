"""Probabilities of a few images from stored weights, in NumPy: a report starts no TensorFlow.

A second description of the document's networks, so its results count only where they agree with
what the network itself was read to be.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np

from mnistrobust import metrics

Weights = Sequence[np.ndarray]
TOLERANCE = 1e-3  # of a probability; the networks compute in float32


def probabilities(
    architecture: str, weights: Weights, images: np.ndarray, confidence: np.ndarray
) -> np.ndarray | None:
    """Return the probabilities (n, classes) of images (n, 784).

    `confidence` (n,) holds the probabilities of the answers as they were read. None where they
    disagree: the network is not one of the document's, or was changed.
    """
    forward = _FORWARD.get(architecture)
    if forward is None or not len(images):
        return None
    try:
        found: np.ndarray = np.exp(metrics.log_softmax(forward(weights, images)))
    except (ValueError, IndexError):  # weights of another shape, or fewer of them
        return None
    return found if np.allclose(found.max(axis=1), confidence, atol=TOLERANCE) else None


def _ann(weights: Weights, images: np.ndarray) -> np.ndarray:
    values = images
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        values = np.maximum(values @ kernel + bias, 0)
    return np.asarray(values @ weights[-2] + weights[-1])


def _rnn(weights: Weights, images: np.ndarray) -> np.ndarray:
    kernel, recurrent, bias, dense, dense_bias = weights
    state = np.zeros((len(images), len(recurrent)))
    cell, peak = np.zeros_like(state), np.full_like(state, -np.inf)
    for row in images.reshape(-1, 28, 28).transpose(1, 0, 2):
        gates = np.split(row @ kernel + state @ recurrent + bias, 4, axis=1)
        enter, keep, leave = (_sigmoid(gates[i]) for i in (0, 1, 3))
        cell = keep * cell + enter * np.tanh(gates[2])
        state = leave * np.tanh(cell)
        peak = np.maximum(peak, state)
    return np.asarray(peak @ dense + dense_bias)


def _cnn(weights: Weights, images: np.ndarray) -> np.ndarray:
    kernel, bias, hidden, hidden_bias, dense, dense_bias = weights
    windows = np.lib.stride_tricks.sliding_window_view(images.reshape(-1, 28, 28), (3, 3), (1, 2))
    maps = np.maximum(windows.reshape(-1, 26, 26, 9) @ kernel.reshape(9, -1) + bias, 0)
    pooled = maps.reshape(len(images), 13, 2, 13, 2, -1).max(axis=(2, 4))
    values = pooled.reshape(len(images), -1) @ hidden + hidden_bias
    return np.asarray(values @ dense + dense_bias)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * values)


_FORWARD: MappingProxyType[str, Callable[[Weights, np.ndarray], np.ndarray]] = MappingProxyType(
    {"ann": _ann, "rnn": _rnn, "cnn": _cnn}
)
