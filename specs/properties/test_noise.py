"""Offset noise, pure noise and the noise class."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.strategies import images, labels, seeds
from mnistrobust.transforms import offset_noise, pure_noise, with_noise_class

pytestmark = (
    pytest.mark.slow
)  # seconds of CPU; that noise is drawn for the set, test_transforms.py says too

# Of all examples of a law together, one in a million fails though the noise is as it is said to
# be: with 200 examples, one in 200 million each; with 2,000 at most one in 100,000.
FALSE_ALARMS = 1e-6 / 200


class Highest:
    """A generator whose every number is the highest that [0, 1) has."""

    def random(self, n):
        return np.full(n, np.nextafter(1.0, 0.0))


def offsets_of(before, seed):
    """Return what is added to images: the noisy version of blank ones."""
    blank = np.zeros((1, *before.shape[1:]), before.dtype)
    return offset_noise(blank, np.random.default_rng(seed))


def distance_to_uniform(values):
    """Return the Kolmogorov-Smirnov distance to the uniform distribution, and its bound."""
    ranked = np.sort(values.ravel().astype(np.float64))
    n = len(ranked)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max())
    # Dvoretzky-Kiefer-Wolfowitz with Massart's constant, valid for every n
    return distance, math.sqrt(math.log(2 / FALSE_ALARMS) / (2 * n))


def product_of_deviations(left, right):
    """Return the mean of (x - 1/2)(y - 1/2) over independent pairs, and Hoeffding's bound."""
    products = (left.astype(np.float64) - 0.5) * (right.astype(np.float64) - 0.5)
    return abs(products.mean()), 0.5 * math.sqrt(math.log(2 / FALSE_ALARMS) / (2 * products.size))


@given(images(), seeds())
def test_one_offset_is_shared_by_all_images(before, seed):
    """Catches noise that is drawn for each image, and values that are clipped or rescaled."""
    after = offset_noise(before, np.random.default_rng(seed))

    np.testing.assert_array_equal(after, before + offsets_of(before, seed))


@given(images(), seeds())
def test_offset_noise_never_darkens_and_leaves_the_unit_interval_up_to_two(before, seed):
    """Catches offsets centred at 0 or wider than 1, and values clipped to 1."""
    after = offset_noise(before, np.random.default_rng(seed))

    assert (after >= before).all()
    assert (after <= 2).all()
    assert np.count_nonzero((before == 1) & (after == 1)) <= 0.01 * before.size


@given(images())
def test_highest_offset_rounds_to_two_at_most(before):
    """Catches an offset scaled beyond 1: rounded, full ink and the highest draw give just 2."""
    assert (offset_noise(before, Highest()) <= 2).all()


@given(images(), seeds())
def test_two_calls_draw_two_offsets(before, seed):
    """Catches a generator that is copied or seeded anew: train and test noise would be one."""
    rng = np.random.default_rng(seed)
    blank = np.zeros((1, *before.shape[1:]), before.dtype)

    assert (offset_noise(blank, rng) != offset_noise(blank, rng)).mean() > 0.9


@given(seeds(), seeds())
def test_other_seeds_give_other_noise(seed, other):
    """Catches a seed that is ignored, or of which only a part counts."""
    same = pure_noise(1, np.random.default_rng(seed)) == pure_noise(1, np.random.default_rng(other))

    assert same.all() if seed == other else same.mean() < 0.1


@given(st.sampled_from([(784,), (28, 28), (28, 28, 1)]), seeds())
def test_offsets_are_uniform_and_one_for_each_pixel(shape, seed):
    """Catches one offset for an image or a row, and one that is normal, centred or rescaled."""
    distance, bound = distance_to_uniform(offsets_of(np.zeros((1, *shape)), seed))

    assert distance < bound


@given(st.integers(0, 6), seeds())
def test_pure_noise_lies_in_the_unit_interval(n, seed):
    """Catches another shape or type, and pixels below 0 or from 1."""
    noise = pure_noise(n, np.random.default_rng(seed))

    assert noise.shape == (n, 784)
    assert noise.dtype == np.float32
    assert ((noise >= 0) & (noise < 1)).all()


@given(st.integers(16, 32), seeds())
def test_pure_noise_is_uniform(n, seed):
    """Catches normal or rescaled noise; sees a distribution that differs by 0.03 anywhere."""
    distance, bound = distance_to_uniform(pure_noise(n, np.random.default_rng(seed)))

    assert bound < 0.03
    assert distance < bound


@given(st.integers(8, 16).map(lambda half: 2 * half), seeds())
def test_pure_noise_is_independent(n, seed):
    """Catches noise that images or neighbouring pixels share; sees a correlation of 0.3."""
    noise = pure_noise(n, np.random.default_rng(seed))

    for left, right in ((noise[::2], noise[1::2]), (noise[:, ::2], noise[:, 1::2])):
        product, bound = product_of_deviations(left, right)
        assert bound < 0.3 / 12
        assert product < bound


@given(st.data(), images(), st.integers(0, 6), seeds())
def test_noise_class_is_appended(data, before, n, seed):
    """Catches labels other than 10, noise in front, and digits that are changed or reordered."""
    truth = data.draw(labels(n=len(before), dtypes=("int64", "uint8")))
    after, after_truth = with_noise_class(before, truth, n, np.random.default_rng(seed))

    np.testing.assert_array_equal(after[: len(before)], before)
    np.testing.assert_array_equal(after_truth, [*truth, *[10] * n])
    assert (after.dtype, after_truth.dtype) == (before.dtype, truth.dtype)
    expected = pure_noise(n, np.random.default_rng(seed)).reshape(n, *before.shape[1:])
    np.testing.assert_array_equal(after[len(before) :], expected)
