"""What the engines share: Adam, softmax with cross-entropy, masks, and the loop over epochs."""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# ruff: noqa: ANN001, ANN201 (numba finds the types of what it compiles)

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import threadpoolctl

from mnistrobust.engine.machine_code import inlined
from mnistrobust.engine.vectors import load16, store, xoshiro

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from mnistrobust.engine import OnEpoch, Weights


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold every loaded BLAS to one thread: processes, not threads, use the cores."""
    with threadpoolctl.threadpool_limits(1, "blas"):
        yield


@dataclass(frozen=True, kw_only=True)
class Adam:
    """The settings of Keras's Adam that the engines know."""

    learning_rate: float
    beta_1: float
    beta_2: float
    epsilon: float

    def rates(self, first: int, count: int) -> NDArray[np.float32]:
        """Return the bias-corrected step sizes of steps `first` (from 1) onwards, (count,).

        float32 throughout, as Keras computes them: the first ones differ visibly in float64.
        """
        one, step = np.float32(1), np.arange(first, first + count, dtype=np.float32)
        power_1 = np.power(np.float32(self.beta_1), step)
        power_2 = np.power(np.float32(self.beta_2), step)
        rates = np.float32(self.learning_rate) * np.sqrt(one - power_2) / (one - power_1)
        return cast("NDArray[np.float32]", rates.astype(np.float32))

    def constants(self) -> tuple[np.float32, np.float32, np.float32]:
        """Return 1 - beta_1, 1 - beta_2 and epsilon for `adam`."""
        return np.float32(1 - self.beta_1), np.float32(1 - self.beta_2), np.float32(self.epsilon)


@inlined
def adam(w, m, v, g, rate, rise_1, rise_2, epsilon):
    """Update the 1-d arrays `w`, `m`, `v` in place by the gradient `g`, as Keras's Adam does.

    `rate` is from `Adam.rates`, the last three from `Adam.constants`; all float32.
    """
    for i in range(w.size):
        m[i] += (g[i] - m[i]) * rise_1
        v[i] += (g[i] * g[i] - v[i]) * rise_2
        w[i] -= m[i] * rate / (np.sqrt(v[i]) + epsilon)


@inlined
def softmax_cross_entropy(z, labels, classes):
    """Replace the logits `z` (batch, >= classes) by the mean loss's gradient with respect to them.

    Columns from `classes` on are padding and become 0.  Returns the batch's summed loss (float64)
    and its number of right answers; as in NumPy, the first of equal maxima is the answer.
    """
    loss, right = 0.0, 0
    share = np.float32(1) / np.float32(z.shape[0])
    for b in range(z.shape[0]):
        best, top = 0, z[b, 0]
        for k in range(1, classes):
            if z[b, k] > top:
                best, top = k, z[b, k]
        right += best == labels[b]
        loss -= z[b, labels[b]] - top
        total = np.float32(0)
        for k in range(classes):
            z[b, k] = np.exp(z[b, k] - top)
            total += z[b, k]
        loss += np.log(np.float64(total))
        for k in range(classes):
            z[b, k] *= share / total
        for k in range(classes, z.shape[1]):
            z[b, k] = np.float32(0)
        z[b, labels[b]] -= share
    return loss, right


LANES = 16
"""Generators side by side in a `seeds` array, so that drawing is vector arithmetic."""


def seeds(generator: np.random.Generator) -> NDArray[np.uint32]:
    """Return the state (4 * LANES,) of xoshiro128++ generators, seeded from `generator`."""
    return generator.integers(1, 2**32, size=4 * LANES, dtype=np.uint32)


@inlined
def draw_some(state, bits, count):
    """Write at least `count` random words to the 1-d uint32 array `bits` and advance `state`.

    `bits` needs room for `count` rounded up to a multiple of LANES.
    """
    s0, s1 = load16(state, 0), load16(state, LANES)
    s2, s3 = load16(state, 2 * LANES), load16(state, 3 * LANES)
    for first in range(0, count, LANES):
        word, s0, s1, s2, s3 = xoshiro(s0, s1, s2, s3)
        store(bits, first, word)
    store(state, 0, s0)
    store(state, LANES, s1)
    store(state, 2 * LANES, s2)
    store(state, 3 * LANES, s3)


@inlined
def draw(state, bits):
    """Fill the 1-d uint32 array `bits` (size a multiple of LANES) and advance `state`."""
    draw_some(state, bits, bits.size)


def threshold(rate: float) -> np.uint16:
    """Return the bound below which 16 random bits mean "dropped", to within 2**-17 of `rate`."""
    return np.uint16(round(rate * 65536))


def padded(size: int, block: int) -> int:
    """Return the next multiple of `block`."""
    return -(-size // block) * block


def aligned(size: int) -> NDArray[np.float32]:
    """Return `size` zeros (float32) from a cache line on: loads across lines cost a third more."""
    room = np.zeros(size + 16, np.float32)
    first = (-room.ctypes.data // 4) % 16
    return room[first : first + size]


def check_shapes(weights: Weights, shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ValueError unless `weights` have exactly these shapes."""
    found = [tuple(np.shape(array)) for array in weights]
    if found != [tuple(shape) for shape in shapes]:
        raise ValueError(f"Expected weights of shapes {list(shapes)}, got {found}.")


def checked(
    images: NDArray[np.float32], labels: NDArray[Any] | None, shape: tuple[int, ...], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return contiguous float32 images and int64 labels; ValueError where they do not fit.

    Both are read-only: numba compiles once more for arrays that can be written to.
    """
    images = _read_only(images, np.float32)
    if images.shape[1:] != shape:
        raise ValueError(f"Expected images of shape (n, {shape}), got {images.shape}.")
    if labels is None:
        return images, _read_only([], np.int64)
    labels = _read_only(labels, np.int64)
    if labels.shape != images.shape[:1]:
        raise ValueError(f"Expected {len(images)} labels in one row, got {labels.shape}.")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"Expected labels from 0 to {classes - 1}, got others.")
    return images, labels


def _read_only(values: Any, dtype: Any) -> NDArray[Any]:
    view = np.ascontiguousarray(values, dtype).view()
    view.flags.writeable = False
    return view


def run_epochs(
    steps: Callable[[NDArray[np.int64], NDArray[np.float32]], tuple[float, int]],
    current: Callable[[], Weights],
    *,
    n: int,
    epochs: int,
    batch: int,
    chunk: int,
    order: np.random.Generator,
    adam: Adam,
    on_epoch: OnEpoch | None,
) -> None:
    """Shuffle, cut into chunks of `chunk` steps, call `steps`, and report each epoch.

    `steps` gets the image numbers of whole batches (the last may be smaller) and the step sizes,
    and returns the summed loss and the number of right answers.  Chunks let an interrupt through.
    """
    done = 0
    for epoch in range(1, epochs + 1):
        permutation = order.permutation(n).astype(np.int64)
        loss, hits = 0.0, 0
        for first in range(0, n, chunk * batch):
            part = permutation[first : first + chunk * batch]
            count = -(-part.size // batch)
            part_loss, part_hits = steps(part, adam.rates(done + 1, count))
            loss, hits, done = loss + part_loss, hits + part_hits, done + count
        if on_epoch is not None:
            on_epoch(epoch, loss / max(n, 1), hits / max(n, 1), current())
