"""Dropout masks have the right rate, and are independent where Keras draws them so."""

import numpy as np
import pytest

from mnistrobust.engine import engine_for
from specs.helpers.networks import build, initial, trained

pytestmark = pytest.mark.slow

SIGMAS = 5.0  # every bound on random bits: a false alarm once in 1.7 million checks


def test_random_bits_drop_at_the_rate_and_independently() -> None:
    """Sixteen bits a decision drop 0.2 of 4 million, whatever was dropped so many places before.

    The distances are those of neighbours, lanes, units, images, layers and steps.  A rate off by
    0.001, or a correlation of 0.0025, is found.
    """
    from mnistrobust.engine import common
    from mnistrobust.engine.machine_code import compiled

    @compiled
    def filled(state, bits):  # type: ignore[no-untyped-def]
        common.draw(state, bits)

    bits = np.empty(2**21, np.uint32)
    filled(common.seeds(np.random.default_rng(0)), bits)
    dropped = bits.view(np.uint16) < common.threshold(0.2)

    n = dropped.size
    assert abs(dropped.mean() - 0.2) < SIGMAS * np.sqrt(0.16 / n)
    off = (dropped - 0.2) / 0.4
    for distance in (1, 2, 3, 16, 31, 32, 64, 128, 256, 1024, 4096, 3 * 4096, 8192, 65536):
        assert abs((off[distance:] * off[:-distance]).mean()) < SIGMAS / np.sqrt(n - distance)


def kept_by_ann(seed: int) -> list[np.ndarray]:
    """Return which units each hidden layer kept in one step with one image and all units on."""
    model = build("ann")
    ones = [np.full(a.shape, 0.01 if a.ndim > 1 else 1.0, np.float32) for a in model.get_weights()]
    ones[-2][:] = np.random.default_rng(1).normal(size=ones[-2].shape)
    images = np.zeros((1, 784), np.float32)
    engine = engine_for(model)
    masks = []
    for n in range(seed, seed + 300):
        ours = trained(engine, ones, images, np.zeros(1, int), dropout=np.random.default_rng(n))
        masks.append([ours[k] != ones[k] for k in (1, 3, 5)])
    return [np.array(layer) for layer in zip(*masks, strict=True)]


def test_ann_layers_draw_independent_masks() -> None:
    """In 300 single steps, each layer keeps 0.8 of its units, without regard to the others'.

    A unit's bias moves exactly when it is kept.  A rate off by 0.011, or a correlation between
    layers of 0.026, is found.
    """
    layers = kept_by_ann(0)
    n = layers[0].size
    for kept in layers:
        assert abs(kept.mean() - 0.8) < SIGMAS * np.sqrt(0.16 / n)
    for left, right in ((0, 1), (0, 2), (1, 2)):
        product = (layers[left] - 0.8) * (layers[right] - 0.8) / 0.16
        assert abs(product.mean()) < SIGMAS / np.sqrt(n)


def test_cnn_pools_over_four_independent_masks() -> None:
    """A pooled value vanishes only where all four are dropped: 0.2 ** 4 of them.

    All convolutions give 1, so a dense row moves exactly when its value is not 0.  In 10 single
    steps a rate off by 0.004 is found.
    """
    model = build("cnn")
    weights = initial(model)
    weights[0][:], weights[1][:] = 0.0, 1.0
    engine, images = engine_for(model), np.zeros((1, 28, 28, 1), np.float32)
    gone, dropped, units = [], [], []
    for n in range(10):
        ours = trained(engine, weights, images, np.zeros(1, int), dropout=np.random.default_rng(n))
        units.append(ours[3] != weights[3])
        gone.append((ours[2] == weights[2]).all(axis=1))
    dropped = np.array(gone)
    p = 0.2**4
    assert abs(dropped.mean() - p) < SIGMAS * np.sqrt(p * (1 - p) / dropped.size)
    n = np.array(units).size
    assert abs(np.array(units).mean() - 0.8) < SIGMAS * np.sqrt(0.16 / n)


def test_rnn_draws_one_mask_an_image() -> None:
    """In 300 single steps the LSTM keeps 0.8 of its input columns for all 28 rows.

    A column's kernel row moves exactly when it is kept.  A rate off by 0.022 is found.
    """
    model = build("rnn")
    weights, images = initial(model), np.ones((1, 28, 28), np.float32)
    engine = engine_for(model)
    kept = []
    for n in range(300):
        ours = trained(engine, weights, images, np.zeros(1, int), dropout=np.random.default_rng(n))
        kept.append((ours[0] != weights[0]).any(axis=1))
    mean, n = np.mean(kept), np.array(kept).size
    assert abs(mean - 0.8) < SIGMAS * np.sqrt(0.16 / n)
