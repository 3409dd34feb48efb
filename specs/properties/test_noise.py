"""Offset noise, pure noise and the noise class."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.fuzzing.strategies import SHAPES, images, seeds
from mnistrobust.transforms import offset_noise, pure_noise, with_noise_class
from specs.helpers.outputs import make_labels
from specs.properties.uniformity import (
    assert_all_floats,
    assert_independent,
    assert_other,
    assert_uniform,
)


class Highest:
    """A generator whose every number is the highest that [0, 1) has."""

    def random(self, n):
        return np.full(n, np.nextafter(1.0, 0.0))


def offsets_of(before, seed):
    """Return what is added to images: the noisy version of blank ones."""
    blank = np.zeros((1, *before.shape[1:]), before.dtype)
    return offset_noise(blank, np.random.default_rng(seed))


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


@given(st.sampled_from(SHAPES), seeds())
def test_two_calls_draw_two_offsets(shape, seed):
    """Catches a generator that is copied or seeded anew: train and test noise would be one."""
    rng = np.random.default_rng(seed)
    blank = np.zeros((1, *shape))

    assert_other(offset_noise(blank, rng), offset_noise(blank, rng))


@given(seeds(), st.integers(1, 2**32))
def test_other_seeds_give_other_noise(seed, more):
    """Catches a seed that is ignored, or of which only a part counts."""
    noise, other = (pure_noise(1, np.random.default_rng(each)) for each in (seed, seed + more))

    assert_other(noise, other)


@given(st.sampled_from(SHAPES), seeds())
def test_offsets_are_uniform_and_one_for_each_pixel(shape, seed):
    """Catches one offset for an image or a row, normal, centred and rescaled ones, grey levels.

    Fails falsely in 1 run of 1e9; sees a distribution that differs by 0.15 anywhere.
    """
    offsets = offsets_of(np.zeros((1, *shape)), seed)

    assert_all_floats(offsets)
    assert_uniform(offsets, sees=0.15)


@given(st.integers(0, 6), seeds())
def test_pure_noise_lies_in_the_unit_interval(n, seed):
    """Catches another shape or type, and pixels below 0 or from 1."""
    noise = pure_noise(n, np.random.default_rng(seed))

    assert noise.shape == (n, 784)
    assert noise.dtype == np.float32
    assert ((noise >= 0) & (noise < 1)).all()


@given(st.integers(1, 6), seeds())
def test_pure_noise_has_all_floats(n, seed):
    """Catches the 256 grey levels of a digit, and an image that is repeated."""
    assert_all_floats(pure_noise(n, np.random.default_rng(seed)))


@given(st.integers(32, 40), seeds())
def test_pure_noise_is_uniform(n, seed):
    """Catches normal or rescaled noise.

    Fails falsely in 1 run of 1e9; sees a distribution that differs by 0.05 anywhere.
    """
    assert_uniform(pure_noise(n, np.random.default_rng(seed)), sees=0.025)


@given(st.integers(8, 16).map(lambda half: 2 * half), seeds())
def test_pure_noise_is_independent(n, seed):
    """Catches noise that images or neighbouring pixels share.

    Fails falsely in 1 run of 1e9; sees a correlation of 0.6.
    """
    noise = pure_noise(n, np.random.default_rng(seed))

    assert_independent(noise[::2], noise[1::2], sees=0.3)
    assert_independent(noise[:, ::2], noise[:, 1::2], sees=0.3)


@given(images(), st.integers(0, 6), seeds(), st.sampled_from(["int64", "uint8"]))
def test_noise_class_is_appended(before, n, seed, dtype):
    """Catches labels other than 10, noise in front, and digits that are changed or reordered."""
    truth = make_labels(len(before), seed, dtype=dtype)
    after, after_truth = with_noise_class(before, truth, n, np.random.default_rng(seed))

    np.testing.assert_array_equal(after[: len(before)], before)
    np.testing.assert_array_equal(after_truth, [*truth, *[10] * n])
    assert (after.dtype, after_truth.dtype) == (before.dtype, truth.dtype)
    expected = pure_noise(n, np.random.default_rng(seed)).reshape(n, *before.shape[1:])
    np.testing.assert_array_equal(after[len(before) :], expected)
