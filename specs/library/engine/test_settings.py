"""A layer of Keras with any other setting than the document's has no engine.

By the configurations that Keras gives; `test_matching.py` asks Keras itself.
"""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.engine import common, matching, recurrent

ACTIVATIONS = {name: lambda x: x for name in ("relu", "softmax", "linear", "tanh", "sigmoid")}
UNUSED = dict.fromkeys(
    ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
     "bias_constraint")
)  # fmt: skip
USUAL = {  # the configuration of Keras's SparseCategoricalCrossentropy
    "name": "sparse_categorical_crossentropy", "reduction": "sum_over_batch_size",
    "from_logits": False, "ignore_class": None,
}  # fmt: skip
LAYERS = {  # what reads a layer, its configuration, and settings that an engine follows
    "dense": (
        lambda layer: matching.dense(layer, "relu"),
        {"trainable": True, "units": 128, "activation": "relu", "use_bias": True, **UNUSED,
         "quantization_config": None},
        {"units"},
    ),
    "dropout": (
        matching.dropout,
        {"trainable": True, "rate": 0.2, "seed": None, "noise_shape": None},
        {"rate", "seed"},
    ),
    "convolution": (
        matching.convolution,
        {"trainable": True, "filters": 256, "kernel_size": (3, 3), "strides": (1, 1),
         "padding": "valid", "data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1,
         "activation": "relu", "use_bias": True, **UNUSED},
        {"filters"},
    ),
    "pooling": (
        matching.pooling,
        {"trainable": True, "pool_size": (2, 2), "padding": "valid", "strides": (2, 2),
         "data_format": "channels_last"},
        set(),
    ),
    "flat": (matching.flat, {"trainable": True, "data_format": "channels_last"}, set()),
    "lstm": (
        recurrent._plain,
        {"trainable": True, "return_sequences": True, "return_state": False, "go_backwards": False,
         "stateful": False, "unroll": False, "zero_output_for_mask": False, "units": 128,
         "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True,
         "unit_forget_bias": True, **UNUSED, "recurrent_regularizer": None,
         "recurrent_constraint": None, "dropout": 0.2, "recurrent_dropout": 0.0, "seed": None},
        {"units", "unit_forget_bias", "dropout", "seed"},
    ),
}  # fmt: skip


def layer(config, **changed):
    """A layer that has a configuration, and its functions and rates as attributes."""
    config = {**config, **changed}
    functions = {
        name: ACTIVATIONS.get(value, value)
        for name, value in config.items()
        if isinstance(value, str)
    }
    cell = SimpleNamespace(implementation=2)
    return SimpleNamespace(**{**config, **functions}, cell=cell, get_config=lambda: config)


@pytest.fixture(autouse=True)
def _keras(monkeypatch):
    """Let the reader know Keras's functions, without TensorFlow."""
    known = SimpleNamespace(activations=SimpleNamespace(**ACTIVATIONS))
    monkeypatch.setitem(sys.modules, "keras", known)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has_an_engine_with_the_documents_settings_alone(kind):
    """Every setting that an engine does not follow, and one that no Keras has yet, is a difference."""
    reads, config, followed = LAYERS[kind]

    assert reads(layer(config))
    for name, value in config.items():
        other = {bool: not value, float: 0.5, type(None): "something"}.get(type(value), 5)
        assert reads(layer(config, **{name: other})) == (name in followed), name
    assert not reads(layer(config, a_later_setting=True))


@pytest.mark.parametrize("kind", ["dense", "convolution", "lstm"])
def test_another_activation_has_no_engine(kind):
    """Its function counts, not its name."""
    reads, config, _ = LAYERS[kind]

    assert not reads(layer(config, activation="linear"))


def test_an_lstm_that_draws_a_mask_for_each_gate_has_no_engine():
    """Keras's other implementation, which no configuration tells."""
    reads, config, _ = LAYERS["lstm"]
    other = layer(config)
    other.cell.implementation = 1

    assert not reads(other)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_steps_are_counted_through_all_epochs(chunk):
    """However they are cut into chunks: Adam's bias correction never starts again."""
    adam = common.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    seen, rates, told = [], [], []

    def steps(part, step_sizes):
        seen.extend(part)
        rates.extend(step_sizes)
        return 2.0 * len(part), len(part) - 1

    common.run_epochs(
        steps,
        list,
        n=7,
        epochs=3,
        batch=2,
        chunk=chunk,
        order=np.random.default_rng(0),
        adam=adam,
        on_epoch=lambda *values: told.append(values),
    )

    assert rates == adam.rates(1, 12).tolist()
    assert [sorted(seen[start : start + 7]) for start in (0, 7, 14)] == [[*range(7)]] * 3
    assert seen[:7] != seen[7:14]
    parts = -(-4 // chunk)
    assert told == [(epoch, 2.0, (7 - parts) / 7, []) for epoch in (1, 2, 3)]


def test_only_the_documents_loss_is_plain(monkeypatch):
    """One of logits, or over another axis, is another loss; so is a relative of it."""

    class Loss:
        dtype = "float32"

        def __init__(self, **changes):
            self.config = {**USUAL, **changes}

        def get_config(self):
            return self.config

    class Relative(Loss):
        pass

    known = SimpleNamespace(SparseCategoricalCrossentropy=Loss, sparse_categorical_crossentropy=abs)
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(losses=known))

    usual = (Loss(), Loss(name="mine"), abs, "sparse_categorical_crossentropy")
    others = (
        Loss(from_logits=True), Loss(ignore_class=3), Loss(axis=1), Loss(reduction="sum"),
        Relative(), "mse",
    )  # fmt: skip
    assert [matching._plain_loss(each) for each in usual] == [True] * 4
    for each in others:
        assert not matching._plain_loss(each)
