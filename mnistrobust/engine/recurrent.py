"""The engine for LSTM classifiers: LSTM, maximum over time, dense layer with softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust.engine import common, matching
from mnistrobust.engine.recurrent_kernels import Buffers, Floats, Sizes, read, train
from mnistrobust.engine.recurrent_lanes import WIDTH

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from mnistrobust.engine import OnEpoch, Weights

_READING = 128  # images per batch of a reading
_PER_CALL = 2 * 10**10  # floating-point operations of a compiled call: below a second


@dataclass(frozen=True, kw_only=True)
class Recurrent:
    """Trains and reads one LSTM classifier; see `mnistrobust.engine.Engine`."""

    steps: int
    features: int
    units: int
    classes: int
    dropout: float
    adam: common.Adam

    def fit(
        self,
        weights: Weights,
        images: Floats,
        labels: NDArray[Any],
        *,
        epochs: int,
        batch_size: int,
        order: np.random.Generator,
        dropout: np.random.Generator,
        on_epoch: OnEpoch | None = None,
    ) -> Weights:
        """Return the weights after `epochs` epochs; see `Engine.fit`."""
        shape = (self.steps, self.features)
        images, labels = common.checked(images, labels, shape, self.classes)
        sizes, work = self._sizes(), self._buffers(batch_size, self.steps)
        self._pack(weights, work.weights)
        arrays = (*work[:6], work.peak, work.logits.reshape(-1, WIDTH))
        drawn = batch_size * self.features
        scratch = (
            np.ones((batch_size, self.features), np.float32),
            np.empty(common.padded(drawn, common.LANES), np.uint32),
            np.empty(batch_size, np.int64),
        )
        dropping = (np.uint32(round(self.dropout * 2**32)), np.float32(1 / (1 - self.dropout)))
        constants, seeds = self.adam.constants(), common.seeds(dropout)
        at = _addresses(work)

        def steps(part: NDArray[np.int64], rates: Floats) -> tuple[float, int]:
            summed: tuple[float, int] = train(
                sizes, at, arrays, scratch, images, labels, part, rates, constants, dropping, seeds
            )  # fmt: skip
            return summed

        common.run_epochs(
            steps,
            lambda: self._unpacked(work.weights),
            n=len(images),
            epochs=epochs,
            batch=batch_size,
            chunk=max(1, _PER_CALL // self._cost(batch_size)),
            order=order,
            adam=self.adam,
            on_epoch=on_epoch,
        )
        return self._unpacked(work.weights)

    def logits(self, weights: Weights, images: Floats) -> Floats:
        """Return the (n, classes) values before the softmax; see `Engine.logits`."""
        images, _ = common.checked(images, None, (self.steps, self.features), self.classes)
        work = self._buffers(_READING, 1)
        self._pack(weights, work.weights)
        masks = np.ones((_READING, self.features), np.float32)
        out = np.empty((len(images), self.classes), np.float32)
        for first in range(0, len(images), _READING):
            numbers = np.arange(first, min(first + _READING, len(images)))
            read(self._sizes(), _addresses(work), (work.rows, work.peak), images, numbers, masks)
            found = work.logits.reshape(-1, WIDTH)
            out[numbers] = found[: len(numbers), : self.classes]
        return out

    def _sizes(self) -> Sizes:
        units = common.padded(self.units, WIDTH)
        depth = units + common.padded(self.features + 1, WIDTH)
        return Sizes(self.steps, self.features, units, depth, self.classes)

    def _cost(self, batch_size: int) -> int:
        return 6 * batch_size * self.steps * 4 * self.units * (self.units + self.features)

    def _shapes(self) -> list[tuple[int, ...]]:
        gates = 4 * self.units
        lstm = [(self.features, gates), (self.units, gates), (gates,)]
        return [*lstm, (self.units, self.classes), (self.classes,)]

    def _buffers(self, batch_size: int, kept: int) -> Buffers:
        sizes, batch = self._sizes(), common.padded(batch_size, 4)
        units, depth = sizes.units, sizes.depth
        size = units * batch
        weights = 4 * units * depth + (units + WIDTH) * WIDTH
        counts = Buffers(
            weights=weights,
            mean=weights,
            square=weights,
            gradient=weights,
            turned=units * (4 * units + WIDTH),
            rows=(self.steps + 1) * depth * batch,
            gates=kept * 4 * size,
            cell=(kept + 1) * size,
            squashed=kept * size,
            peak=size + batch * WIDTH,
            ties=size,
            logits=batch * WIDTH,
            state_grad=size,
            cell_grad=size,
        )
        return Buffers(*map(common.aligned, counts))

    def _pack(self, weights: Weights, packed: Floats) -> None:
        common.check_shapes(weights, self._shapes())
        sizes = self._sizes()
        kernel, recurrent, bias, dense, dense_bias = weights
        lstm = np.zeros((sizes.depth, 4, sizes.units), np.float32)
        used = lstm[:, :, : self.units]
        used[: self.units] = recurrent.reshape(self.units, 4, self.units)
        used[sizes.units : sizes.units + self.features] = kernel.reshape(-1, 4, self.units)
        used[sizes.units + self.features] = bias.reshape(4, self.units)
        last = np.zeros((sizes.units + WIDTH, WIDTH), np.float32)
        last[: self.units, : self.classes] = dense
        last[sizes.units, : self.classes] = dense_bias
        panels = lstm.reshape(sizes.depth, -1, WIDTH).transpose(1, 0, 2)
        packed[: lstm.size].reshape(panels.shape)[:] = panels
        packed[lstm.size :] = last.ravel()

    def _unpacked(self, packed: Floats) -> Weights:
        sizes = self._sizes()
        split = 4 * sizes.units * sizes.depth
        panels = packed[:split].reshape(-1, sizes.depth, WIDTH).transpose(1, 0, 2)
        lstm = panels.reshape(sizes.depth, 4, sizes.units)[:, :, : self.units]
        last = packed[split:].reshape(sizes.units + WIDTH, WIDTH)[:, : self.classes]
        parts = [
            lstm[sizes.units : sizes.units + self.features],
            lstm[: self.units],
            lstm[sizes.units + self.features],
            last[: self.units],
            last[sizes.units],
        ]
        pairs = zip(parts, self._shapes(), strict=True)
        return [np.array(part.reshape(shape)) for part, shape in pairs]


def _addresses(work: Buffers) -> Buffers:
    """Return where the buffers lie; they have to outlive the use of the addresses."""
    return Buffers(*(array.ctypes.data for array in work))


def match(model: keras.Model) -> Recurrent | None:
    """Return the engine for LSTM, GlobalMaxPooling1D, Dense(softmax), or None."""
    layers, adam = matching.chain(model), matching.adam(model)
    if layers is None or adam is None or len(model.inputs[0].shape) != 3:
        return None
    if [kind for kind, _ in layers] != ["LSTM", "GlobalMaxPooling1D", "Dense"]:
        return None
    (_, lstm), (_, pooling), (_, dense) = layers
    _, steps, features = model.inputs[0].shape
    fixed = {"trainable": True, "data_format": "channels_last"}
    if not (
        _plain(lstm)
        and matching.says(pooling.get_config(), fixed, set())
        and matching.dense(dense, "softmax")
        and steps
        and features
        and dense.units <= WIDTH
    ):
        return None
    return Recurrent(
        steps=int(steps),
        features=int(features),
        units=int(lstm.units),
        classes=int(dense.units),
        dropout=float(lstm.dropout),
        adam=adam,
    )


def _plain(layer: Any) -> bool:
    """Return whether an LSTM returns all its states and draws one mask for its inputs."""
    import keras

    fixed = {"trainable": True, "return_sequences": True, "use_bias": True}
    free = {"units", "activation", "recurrent_activation", "unit_forget_bias", "dropout", "seed"}
    functions = (layer.activation, layer.recurrent_activation)
    return (
        matching.says(layer.get_config(), fixed, free)
        and functions == (keras.activations.tanh, keras.activations.sigmoid)
        and layer.cell.implementation == 2  # the other one draws a mask for each gate
        and layer.dropout < 1
    )
