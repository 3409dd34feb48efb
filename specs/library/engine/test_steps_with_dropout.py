"""The engines take the steps of the definitions with dropout on, for the masks that they draw.

Without TensorFlow, so that every run of the suite sees a change of an engine. `test_steps.py` holds
the engines to Keras itself, with dropout off.
"""

import numpy as np
import pytest

from mnistrobust.engine import common
from mnistrobust.engine.convolution import Convolution
from mnistrobust.engine.dense import Dense
from mnistrobust.engine.recurrent import Recurrent
from specs.helpers import reference

RATE, BATCH, IMAGES, CLASSES = 0.2, 8, 13, 10  # a whole batch, and a small one
ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
BOUND = ADAM["learning_rate"] / 100  # of a weight; float32 stays well below
GIVEN = {"classes": CLASSES, "adam": common.Adam(**ADAM)}
ENGINES = {
    "ann": Dense(
        widths=(784, 128, 128, 128, CLASSES), dropouts=(RATE,) * 3, adam=common.Adam(**ADAM)
    ),
    "rnn": Recurrent(steps=28, features=28, units=128, dropout=RATE, **GIVEN),
    "cnn": Convolution(size=(8, 8), filters=256, width=64, dropouts=(RATE, RATE), **GIVEN),
}
SHAPES = {"ann": (784,), "rnn": (28, 28), "cnn": (8, 8, 1)}
NETWORKS = {
    "ann": reference.Ann,
    "rnn": lambda rate: reference.Rnn(rate, BATCH),
    "cnn": reference.Cnn,
}


AT_ONCE = {"ann": 4096, "rnn": 128, "cnn": 128}  # images that an engine reads at once
SHOWN = {
    "clean": lambda ink: ink,
    "noise": lambda ink: np.random.default_rng(5).random(ink.shape, np.float32),
    "inverted": lambda ink: 1 - ink,
}


@pytest.fixture(params=ENGINES)
def name(request):
    """An architecture."""
    return request.param


@pytest.fixture
def given(name):
    """Weights with biases other than 0, images a fifth of which is ink, and labels."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.1, shape).astype(np.float32) for shape in ENGINES[name]._shapes()]
    shape = (IMAGES, *SHAPES[name])
    ink = rng.uniform(0.1, 1, shape) * (rng.random(shape) < 0.2)
    return weights, ink.astype(np.float32), rng.integers(0, CLASSES, IMAGES)


def test_steps_with_dropout_are_those_of_the_definition(name, given):
    """In two epochs of a step of 8 images and one of 5, weights, loss and accuracy are NumPy's.

    A weight that is off by a hundredth of Adam's first step is found.
    """
    weights, images, labels = given
    told = []

    ours = ENGINES[name].fit(
        weights, images, labels, epochs=2, batch_size=BATCH, order=np.random.default_rng(3),
        dropout=np.random.default_rng(4), on_epoch=lambda *each: told.append(each[:3]),
    )  # fmt: skip

    rng = np.random.default_rng(3)
    orders = [rng.permutation(IMAGES) for _ in range(2)]
    epochs = [
        [(images[part], labels[part]) for part in (order[:BATCH], order[BATCH:])]
        for order in orders
    ]
    bits = reference.Bits(common.seeds(np.random.default_rng(4)))
    expected, curve = reference.trained(NETWORKS[name](RATE), weights, epochs, bits, *ADAM.values())
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=BOUND)
    assert told == [
        (number, pytest.approx(loss, rel=1e-5), pytest.approx(accuracy))
        for number, (loss, accuracy) in enumerate(curve, 1)
    ]


@pytest.mark.parametrize("n", [0, 1, BATCH])
@pytest.mark.parametrize("kind", SHOWN)
def test_logits_without_dropout_are_those_of_the_definition(name, kind, n, given):
    """What the last layer hands to the softmax is NumPy's; nothing is dropped or scaled."""
    weights, ink, _ = given
    images = SHOWN[kind](ink[:n])
    network = NETWORKS[name](0.0)
    masks = network.masks(reference.Bits(np.ones(64, np.uint32)), BATCH, weights)
    expected, _ = network(weights, SHOWN[kind](ink[:BATCH]), masks)

    logits = ENGINES[name].logits(weights, images)

    np.testing.assert_allclose(logits, expected[:n], rtol=0, atol=1e-4)


def test_logits_of_an_image_do_not_depend_on_how_many_come_with_it(name, given):
    """Each image is predicted once, in its own place, also in a last batch that is not full."""
    weights, ink, _ = given
    images = np.resize(ink, (AT_ONCE[name] + 1, *SHAPES[name]))

    logits = ENGINES[name].logits(weights, images)

    alone = np.resize(ENGINES[name].logits(weights, ink), logits.shape)
    np.testing.assert_allclose(logits, alone, rtol=0, atol=1e-5)
