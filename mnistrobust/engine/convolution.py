"""Training of the study's CNN: 3 x 3 convolution, dropout, pooling, and two dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust.engine import OnEpoch, Weights, common, matching
from mnistrobust.engine.convolution_kernels import features, learn

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """Conv2D(filters, 3 x 3, relu), dropout, 2 x 2 max-pooling, Dense(width), dropout, softmax.

    `size` is the images' height and width, with one channel; `dropouts` the two rates.
    """

    size: tuple[int, int]
    filters: int
    width: int
    classes: int
    dropouts: tuple[float, float]
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
        images, labels = common.checked(images, labels, (*self.size, 1), self.classes)
        arrays = self._pack(weights)
        moments = tuple(common.aligned(array.size) for array in arrays for _ in range(2))
        filters, width, outputs = self._shape[2], self._shape[4], self._shape[5]
        end = self._positions * filters * width
        height = common.padded(batch_size, 32)
        tile = height * filters
        values, codes = (
            common.aligned(self._positions * tile),
            np.zeros(self._positions * tile, np.uint8),
        )
        hidden = common.aligned(height * width)
        pixels = np.zeros((batch_size, self.size[0] * self.size[1]), np.float32)
        scratch = tuple(
            common.aligned(size)
            for size in (
                tile, tile, tile, height * width, height * width, 10 * filters, width,
                arrays[2].size,
            )
        )  # fmt: skip
        alive = np.zeros(self._positions * filters, np.bool_)
        bounds = tuple(common.threshold(rate) for rate in self.dropouts)
        scales = tuple(np.float32(1 / (1 - rate)) for rate in self.dropouts)
        bits = np.full(max(2 * filters, height * width // 2), 2**32 - 1, np.uint32)
        chances, state = bits.view(np.uint16), common.seeds(dropout)
        z, shown = np.zeros((batch_size, outputs), np.float32), np.zeros(batch_size, np.int64)

        def steps(batches: NDArray[np.int64], rates: NDArray[np.float32]) -> tuple[float, int]:
            loss, hits = 0.0, 0
            for n, rate in enumerate(rates):
                chosen = batches[n * batch_size : (n + 1) * batch_size]
                rows = len(chosen)
                pixels[:rows] = images[chosen].reshape(rows, -1)
                hidden.reshape(height, width)[:] = arrays[1][end:]
                if rows < batch_size:
                    values[:] = 0
                features(
                    pixels.reshape(-1), self.size, filters, *arrays[:2], width, values, codes,
                    tile, hidden, rows, bounds[0], scales[0], state, bits, chances,
                )  # fmt: skip
                one, right = learn(
                    self._shape, *arrays, moments, alive, pixels.reshape(-1), labels[chosen],
                    rows, rate, self.adam.constants(), bounds, scales, state, values, codes,
                    hidden, scratch, z, bits, chances, shown,
                )  # fmt: skip
                loss, hits = loss + one, hits + right
            return loss, hits

        common.run_epochs(
            steps, lambda: self._unpack(arrays), n=len(images), epochs=epochs, batch=batch_size,
            chunk=256, order=order, adam=self.adam, on_epoch=on_epoch,
        )  # fmt: skip
        return self._unpack(arrays)

    def logits(self, weights: Weights, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Read; see `mnistrobust.engine.Engine`."""
        images, _ = common.checked(images, None, (*self.size, 1), self.classes)
        out = np.empty((len(images), self.classes), np.float32)
        arrays, rows = self._pack(weights), 128
        filters, width = self._shape[2], self._shape[4]
        values, codes = common.aligned(rows * filters), np.zeros(rows * filters, np.uint8)
        hidden, bits = common.aligned(rows * width), np.zeros(2 * filters, np.uint32)
        sums = hidden.reshape(rows, width)[:, : self.width]
        pixels = np.zeros((rows, self.size[0] * self.size[1]), np.float32)
        with common.one_thread():
            for first in range(0, len(images), rows):
                part = images[first : first + rows]
                pixels[: len(part)] = part.reshape(len(part), -1)
                sums[:] = weights[3]
                features(
                    pixels.reshape(-1), self.size, filters, *arrays[:2], width, values, codes, 0,
                    hidden, len(part), np.uint16(0), np.float32(1), bits, bits,
                    bits.view(np.uint16),
                )  # fmt: skip
                out[first : first + rows] = sums[: len(part)] @ weights[4] + weights[5]
        return out

    @property
    def _filters(self) -> int:
        return common.padded(self.filters, 64)

    @property
    def _positions(self) -> int:
        return ((self.size[0] - 2) // 2) * ((self.size[1] - 2) // 2)

    @property
    def _shape(self) -> tuple[int, ...]:
        width, outputs = common.padded(self.width, 16), common.padded(self.classes, 16)
        return (*self.size, self._filters, self._positions, width, outputs, self.classes)

    def _views(self, arrays: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return views of the packed arrays, in the shapes and order of the model's weights."""
        filters, width = self._filters, common.padded(self.width, 16)
        taps, features, head = arrays
        taps, end = taps.reshape(10, filters)[:, : self.filters], self._positions * filters * width
        cells = features[:end].reshape(self._positions, filters, width)
        head = head.reshape(width + 1, -1)[:, : self.classes]
        return [
            taps[:9],
            taps[9],
            cells[:, : self.filters, : self.width],
            features[end : end + self.width],
            head[: self.width],
            head[width],
        ]

    def _shapes(self) -> list[tuple[int, ...]]:
        features = self._positions * self.filters
        return [
            (3, 3, 1, self.filters), (self.filters,), (features, self.width), (self.width,),
            (self.width, self.classes), (self.classes,),
        ]  # fmt: skip

    def _pack(self, weights: Weights) -> list[NDArray[np.float32]]:
        filters, width = self._filters, common.padded(self.width, 16)
        common.check_shapes(weights, self._shapes())
        sizes = (
            10 * filters,
            (self._positions * filters + 1) * width,
            (width + 1) * common.padded(self.classes, 16),
        )
        arrays = [common.aligned(size) for size in sizes]
        for view, array in zip(self._views(arrays), weights, strict=True):
            view[:] = array.reshape(view.shape)
        return arrays

    def _unpack(self, arrays: list[NDArray[np.float32]]) -> Weights:
        views = zip(self._views(arrays), self._shapes(), strict=True)
        return [np.array(view).reshape(shape) for view, shape in views]


def match(model: keras.Model) -> Convolution | None:
    """Return the engine for the study's CNN with any widths and rates, or None."""
    layers, adam = matching.chain(model), matching.adam(model)
    if layers is None or adam is None or len(model.inputs[0].shape) != 4:
        return None
    kinds = ["Conv2D", "Dropout", "MaxPooling2D", "Flatten", "Dense", "Dropout", "Dense"]
    _, tall, wide, channels = model.inputs[0].shape
    if [kind for kind, _ in layers] != kinds or channels != 1 or tall < 4 or wide < 4:
        return None
    convolution, first, pool, flat, hidden, second, last = (layer for _, layer in layers)
    plain = (
        matching.convolution(convolution)
        and matching.pooling(pool)
        and matching.flat(flat)
        and matching.dropout(first)
        and matching.dropout(second)
        and matching.dense(hidden, "linear")
        and matching.dense(last, "softmax")
    )
    if not plain:
        return None
    return Convolution(
        size=(tall, wide), filters=convolution.filters, width=hidden.units, classes=last.units,
        dropouts=(float(first.rate), float(second.rate)), adam=adam,
    )  # fmt: skip
