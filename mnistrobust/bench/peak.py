"""What the machine can do at most: large float32 matrix products, one thread for each core."""

from typing import Any

import numpy as np

from mnistrobust.bench.contestants import Note, Run

SIZE = 1024
PRODUCTS = 20
FLOP = 2 * SIZE**3 * PRODUCTS  # of what counts as an epoch


def prepare(_: dict[str, Any], __: Note) -> Run:
    """Return the products of two matrices of SIZE x SIZE."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    out = np.empty_like(left)

    def run(epochs: int) -> None:
        for _ in range(epochs * PRODUCTS):
            np.matmul(left, right, out=out)

    return run
