"""Training of chains of dense ReLU layers with dropout and a softmax, as the study's ANN is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust.engine import OnEpoch, Weights, common, matching
from mnistrobust.engine.dense_kernels import DEPTH, NEXT, OUTPUT, PITCH, START, WIDTH, train

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A chain of dense layers: ReLU and dropout after each but the last, then softmax.

    `widths` are the input's and each layer's number of values, `dropouts` the hidden layers' rates.
    """

    widths: tuple[int, ...]
    dropouts: tuple[float, ...]
    adam: common.Adam

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
        """Train; see `mnistrobust.engine.Engine`."""
        images, labels = common.checked(images, labels, self.widths[:1], self.widths[-1])
        height = common.padded(batch_size, 32)
        layers, w = self._layers(height), self._pack(weights)
        m, v = common.aligned(w.size), common.aligned(w.size)
        alive = np.zeros((len(layers), max(self.widths) + 1), np.bool_)
        bounds = np.array([common.threshold(rate) for rate in self.dropouts], np.uint16)
        scales = np.array([1 / (1 - rate) for rate in self.dropouts], np.float32)
        widest = common.padded(max(self.widths), 64)
        scratch = tuple(
            common.aligned(size)
            for size in (
                int(layers[-1, OUTPUT] + height * layers[-1, NEXT]), (widest + 8) * height,
                height * widest, height * widest, widest * max(self.widths[1:]) + 8 * widest,
                widest,
            )
        )  # fmt: skip
        bits = np.full(height * widest // 2, 2**32 - 1, np.uint32)
        fixed = (
            bounds, scales, common.seeds(dropout), scratch, bits, bits.view(np.uint16),
            np.empty(batch_size, np.int64), np.empty((batch_size, self.widths[-1]), np.float32),
        )  # fmt: skip

        def steps(batches: NDArray[np.int64], rates: NDArray[np.float32]) -> tuple[float, int]:
            loss, hits = train(
                layers, self.widths[-1], w, m, v, alive, images.reshape(-1), labels, batches,
                batch_size, rates, self.adam.constants(), *fixed,
            )  # fmt: skip
            return loss, hits

        # a step of the usual network takes about 0.2 ms
        chunk = max(1, min(1000, int(2e9 / (w.size * batch_size))))
        common.run_epochs(
            steps, lambda: self._unpack(w), n=len(images), epochs=epochs, batch=batch_size,
            chunk=chunk, order=order, adam=self.adam, on_epoch=on_epoch,
        )  # fmt: skip
        return self._unpack(w)

    def logits(self, weights: Weights, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Read; see `mnistrobust.engine.Engine`."""
        images, _ = common.checked(images, None, self.widths[:1], self.widths[-1])
        common.check_shapes(weights, self._shapes())
        out = np.empty((len(images), self.widths[-1]), np.float32)
        with common.one_thread():
            for first in range(0, len(images), 4096):
                values = images[first : first + 4096] @ weights[0] + weights[1]
                for kernel, bias in zip(weights[2::2], weights[3::2], strict=True):
                    values = np.maximum(values, 0) @ kernel + bias
                out[first : first + 4096] = values
        return out

    def _shapes(self) -> list[tuple[int, ...]]:
        pairs = zip(self.widths[:-1], self.widths[1:], strict=True)
        return [shape for depth, width in pairs for shape in ((depth, width), (width,))]

    def _layers(self, batch: int) -> NDArray[np.int64]:
        table, start, at = [], 0, 0
        for depth, width in zip(self.widths[:-1], self.widths[1:], strict=True):
            pitch, stride = common.padded(width, 16), common.padded(depth, 64)
            output = at + batch * stride
            table.append((depth, width, pitch, start, at, stride, output, common.padded(width, 64)))
            start, at = start + (depth + 1) * pitch, output
        return np.array(table, np.int64)

    def _matrices(self, w: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return views of each layer's matrix, its bias the last row."""
        return [
            w[t[START] : t[START] + (t[DEPTH] + 1) * t[PITCH]].reshape(-1, t[PITCH])[:, : t[WIDTH]]
            for t in self._layers(1)
        ]

    def _pack(self, weights: Weights) -> NDArray[np.float32]:
        last = self._layers(1)[-1]
        # seven rows more, because blocks of eight are transposed
        w = common.aligned(int(last[START] + (last[DEPTH] + 8) * last[PITCH]))
        common.check_shapes(weights, self._shapes())
        for matrix, kernel, bias in zip(
            self._matrices(w), weights[::2], weights[1::2], strict=True
        ):
            matrix[:-1], matrix[-1] = kernel, bias
        return w

    def _unpack(self, w: NDArray[np.float32]) -> Weights:
        return [part.copy() for matrix in self._matrices(w) for part in (matrix[:-1], matrix[-1])]


def match(model: keras.Model) -> Dense | None:
    """Return the engine for a chain Dense(relu), Dropout, ..., Dense(softmax), or None."""
    layers, adam = matching.chain(model), matching.adam(model)
    if layers is None or adam is None or len(model.inputs[0].shape) != 2:
        return None
    widths = [int(model.inputs[0].shape[1])]
    dropouts: list[float] = []
    for n, (kind, layer) in enumerate(layers):
        if kind == "Dense" and len(dropouts) == len(widths) - 1:
            if not matching.dense(layer, "softmax" if n == len(layers) - 1 else "relu"):
                return None
            widths.append(layer.units)
            dropouts.append(0.0)
        elif kind == "Dropout" and len(widths) > 1 and layers[n - 1][0] == "Dense":
            if n == len(layers) - 1 or not matching.dropout(layer):
                return None
            dropouts[-1] = float(layer.rate)
        else:
            return None
    if not layers or layers[-1][0] != "Dense":
        return None
    return Dense(widths=tuple(widths), dropouts=tuple(dropouts[:-1]), adam=adam)
