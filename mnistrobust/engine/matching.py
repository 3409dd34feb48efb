"""Reading of Keras models: whether layers, optimizer and loss say exactly what an engine does.

Everything unknown counts as a difference, so a setting that a later Keras adds leads to the slow
path, never to another training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnistrobust.engine.common import Adam

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

# Initial values and names do not change how given weights are trained.
_WITHOUT_EFFECT = {
    "name", "dtype", "kernel_initializer", "bias_initializer", "recurrent_initializer",
}  # fmt: skip


def says(config: Mapping[str, Any], fixed: Mapping[str, Any], free: set[str]) -> bool:
    """Return whether `config` has the `fixed` values, and nothing else is on besides `free` keys.

    A key that is neither fixed nor free must be None or False, Keras's way of saying "unused".
    """
    rest = {key: value for key, value in config.items() if key not in free | _WITHOUT_EFFECT}
    return all(rest.get(key) == value for key, value in fixed.items()) and not any(
        value for key, value in rest.items() if key not in fixed
    )


def chain(model: keras.Model) -> list[tuple[str, Any]] | None:
    """Return the class names and layers of a plain float32 `keras.Sequential`, or None.

    Class names are given only to layers that are exactly Keras's own class.
    """
    import keras

    if type(model) is not keras.Sequential or not model.built or len(model.inputs) != 1:
        return None
    source = model.inputs[0]
    if source.dtype != "float32" or getattr(source, "sparse", False):
        return None
    found = []
    for layer in model.layers:
        kind = type(layer)
        if kind is not getattr(keras.layers, kind.__name__, None):
            return None
        if layer.dtype_policy.name != "float32" or not layer.trainable:
            return None
        found.append((kind.__name__, layer))
    return found


def dense(layer: Any, activation: str) -> bool:
    """Return whether a Dense layer has a bias, this activation and nothing else."""
    import keras

    plain = layer.activation is getattr(keras.activations, activation)
    fixed = {"trainable": True, "use_bias": True}
    return plain and says(layer.get_config(), fixed, {"units", "activation"})


def dropout(layer: Any) -> bool:
    """Return whether a Dropout layer drops single values independently, and not nearly all."""
    return layer.rate < 0.999 and says(layer.get_config(), {"trainable": True}, {"rate", "seed"})


def adam(model: keras.Model) -> Adam | None:
    """Return the settings of `model`'s optimizer, or None where its training step is another.

    None unless it is compiled with Keras's Adam at a constant rate, without any option, and with
    sparse categorical cross-entropy of probabilities.
    """
    import keras

    if not model.compiled or not model.trainable or model.losses:
        return None
    settings = model.get_compile_config()
    if settings is None or settings.get("loss_weights") is not None or not _plain_loss(model.loss):
        return None
    if type(model.optimizer) is not keras.optimizers.Adam:
        return None
    config = model.optimizer.get_config()
    numbers = ("learning_rate", "beta_1", "beta_2", "epsilon")
    # ema_momentum has no effect while use_ema is off
    if not says(config, {}, {*numbers, "ema_momentum"}):
        return None
    if not all(isinstance(config[name], int | float) for name in numbers):
        return None  # a schedule
    return Adam(**{name: float(config[name]) for name in numbers})


def _plain_loss(loss: Any) -> bool:
    import keras

    if isinstance(loss, str):
        return loss == "sparse_categorical_crossentropy"
    if loss is keras.losses.sparse_categorical_crossentropy:
        return True
    if type(loss) is not keras.losses.SparseCategoricalCrossentropy:
        return False
    if loss.dtype != "float32":
        return False
    fixed = {"reduction": "sum_over_batch_size"}
    return says(loss.get_config(), fixed, {"axis"}) and loss.get_config().get("axis", -1) == -1


def convolution(layer: Any) -> bool:
    """Return whether a Conv2D layer is 3 x 3, unpadded, with steps of one, a bias and ReLU."""
    import keras

    fixed = {
        "trainable": True, "use_bias": True, "kernel_size": (3, 3), "strides": (1, 1),
        "padding": "valid", "data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1,
    }  # fmt: skip
    plain = layer.activation is keras.activations.relu
    return plain and says(layer.get_config(), fixed, {"filters", "activation"})


def pooling(layer: Any) -> bool:
    """Return whether a MaxPooling2D layer takes the maximum of each 2 x 2, without padding."""
    fixed = {
        "trainable": True, "pool_size": (2, 2), "strides": (2, 2), "padding": "valid",
        "data_format": "channels_last",
    }  # fmt: skip
    return says(layer.get_config(), fixed, set())


def flat(layer: Any) -> bool:
    """Return whether a Flatten layer keeps the order of the values."""
    fixed = {"trainable": True, "data_format": "channels_last"}
    return says(layer.get_config(), fixed, set())
