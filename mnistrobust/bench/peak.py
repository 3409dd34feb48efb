"""What the machine can do at most: large float32 matrix products, one thread for each core.

By NumPy's BLAS or TensorFlow's, whichever is faster here: either may use narrower vectors than
the processor has.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mnistrobust.backend import import_keras
from mnistrobust.bench.contestants import Note, Run

SIZE = 1024
PRODUCTS = 20
FLOP = 2 * SIZE**3 * PRODUCTS  # of what counts as an epoch


def prepare(_: dict[str, Any], __: Note) -> Run:
    """Return the products of two matrices of SIZE x SIZE."""
    product = min(_numpy(), _tensorflow(), key=_seconds)

    def run(epochs: int) -> None:
        for _ in range(epochs * PRODUCTS):
            product()

    return run


def _matrices() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((SIZE, SIZE), dtype=np.float32), rng.random((SIZE, SIZE), dtype=np.float32)


def _numpy() -> Callable[[], Any]:
    left, right = _matrices()
    out = np.empty_like(left)
    return lambda: np.matmul(left, right, out=out)


def _tensorflow() -> Callable[[], Any]:
    import_keras()
    import tensorflow as tf

    left, right = map(tf.constant, _matrices())
    return lambda: tf.linalg.matmul(left, right)


def _seconds(product: Callable[[], Any]) -> float:
    product()  # what is done once
    start = time.perf_counter()
    for _ in range(PRODUCTS):
        product()
    return time.perf_counter() - start
