"""An engine trains exactly the models that it was written for."""

from collections.abc import Callable
from typing import Any

import pytest

from mnistrobust.backend import import_keras
from mnistrobust.engine import engine_for
from specs.helpers.networks import (
    BATCH,
    NAMES,
    ONE_STEP,
    build,
    compiled,
    digest,
    initial,
    largest_difference,
    pictures,
    stepped,
    trained,
    without_dropout,
)

pytestmark = pytest.mark.slow


def _dense(**settings: Any) -> Callable[[str, dict[str, Any]], None]:
    def change(kind: str, config: dict[str, Any]) -> None:
        if kind in {"Dense", "LSTM", "Conv2D"} and config.get("activation") != "softmax":
            config.update(settings)

    return change


def _geometry(wanted: str, settings: dict[str, Any]) -> Callable[[str, dict[str, Any]], None]:
    def change(kind: str, config: dict[str, Any]) -> None:
        if kind == wanted:
            config.update(settings)

    return change


def _rate(rate: float) -> Callable[[str, dict[str, Any]], None]:
    def change(_: str, config: dict[str, Any]) -> None:
        for key in {"rate", "dropout"} & set(config):
            config[key] = rate

    return change


UNKNOWN_LAYERS = {
    "another activation": _dense(activation="elu"),
    "no bias": _dense(use_bias=False),
    "a regulariser": _dense(
        kernel_regularizer={"class_name": "L2", "config": {"l2": 0.01}},
    ),
    "a constraint": _dense(kernel_constraint={"class_name": "NonNeg", "config": {}}),
    "half precision": _dense(dtype="mixed_float16"),
    "a frozen layer": _dense(trainable=False),
}


@pytest.mark.parametrize("change", UNKNOWN_LAYERS.values(), ids=UNKNOWN_LAYERS)
def test_altered_layers_have_no_engine(change: Any) -> None:
    """A layer that does something else goes to Keras, in each architecture."""
    assert [engine_for(build(name, change)) for name in NAMES] == [None] * len(NAMES)


def _adam(**settings: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"optimizer": import_keras().optimizers.Adam(**settings)}


UNKNOWN_TRAININGS = {
    "clipping": _adam(clipnorm=1.0),
    "weight decay": _adam(weight_decay=0.01),
    "moving average": _adam(use_ema=True),
    "amsgrad": _adam(amsgrad=True),
    "gradient accumulation": _adam(gradient_accumulation_steps=2),
    "a schedule": lambda: {
        "optimizer": import_keras().optimizers.Adam(
            import_keras().optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        )
    },
    "another optimizer": lambda: {"optimizer": "sgd"},
    "a relative of Adam": lambda: {"optimizer": "nadam"},
    "another loss": lambda: {"loss": "kl_divergence"},
    "a loss of logits": lambda: {
        "loss": import_keras().losses.SparseCategoricalCrossentropy(from_logits=True)
    },
    "weighted losses": lambda: {"loss_weights": [2.0]},
}


@pytest.mark.parametrize("options", UNKNOWN_TRAININGS.values(), ids=UNKNOWN_TRAININGS)
def test_altered_trainings_have_no_engine(options: Any) -> None:
    """Another optimizer, another option of Adam or another loss goes to Keras."""
    models = [compiled(build(name), **options()) for name in NAMES]
    assert [engine_for(model) for model in models] == [None] * len(NAMES)


def test_altered_structures_have_no_engine() -> None:
    """A layer more, other geometry, no compilation, or no plain Sequential goes to Keras."""
    keras = import_keras()
    layers = keras.layers

    class Other(keras.Sequential):
        """Could override the training step."""

    dense = layers.Dense(10, activation="softmax")
    hidden = [layers.Input((784,)), layers.Dense(128, activation="relu")]
    assert engine_for(keras.Sequential([*hidden, dense])) is None
    assert engine_for(compiled(Other([*hidden, dense]))) is None
    more = [*hidden, layers.LayerNormalization(), dense]
    assert engine_for(compiled(keras.Sequential(more))) is None
    for kind, settings in (
        ("Conv2D", {"kernel_size": (5, 5)}),
        ("Conv2D", {"strides": (2, 2)}),
        ("Conv2D", {"padding": "same"}),
        ("MaxPooling2D", {"pool_size": (3, 3)}),
        ("MaxPooling2D", {"padding": "same"}),
    ):
        assert engine_for(build("cnn", _geometry(kind, settings))) is None


@pytest.mark.parametrize("name", NAMES)
def test_other_widths_and_rates_are_trained_as_written(name: str) -> None:
    """Widths off the vectors' grid and another learning rate still step as Keras does."""

    def change(kind: str, config: dict[str, Any]) -> None:
        without_dropout(kind, config)
        if config.get("activation") != "softmax":
            for key in {"units", "filters"} & set(config):
                config[key] = 37

    model = compiled(
        build(name, change), optimizer=import_keras().optimizers.Adam(0.002, beta_1=0.8)
    )
    weights, (images, labels) = initial(model), pictures(model, BATCH)

    ours = trained(engine_for(model), weights, images, labels)

    # twice the learning rate, twice the bound
    assert largest_difference(ours, stepped(model, weights, images, labels)) <= 2 * ONE_STEP


@pytest.mark.parametrize("name", NAMES)
def test_another_dropout_rate_is_another_training(name: str) -> None:
    """The engine of a model with dropout 0.5 drops more than that of 0.2."""
    models = build(name), build(name, _rate(0.5))
    given = initial(models[0]), *pictures(models[0], 40)
    engines = [engine_for(model) for model in models]
    assert digest(trained(engines[0], *given)) != digest(trained(engines[1], *given))
