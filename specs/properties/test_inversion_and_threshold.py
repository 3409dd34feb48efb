"""Inversion's exact laws, the threshold's boundary, and both together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.fuzzing.strategies import images, seeds
from mnistrobust.transforms import invert, threshold

LEVELS = st.floats(0.0, 1.0, width=32)


@given(images())
def test_inversion_is_one_minus_each_pixel(before):
    """Catches 255 - x, -x, and a set inverted about its own maximum."""
    after = invert(before)

    for pixel, result in zip(before.flat[::97], after.flat[::97], strict=True):
        assert result == before.dtype.type(1) - pixel


@given(images())
def test_three_inversions_are_one(before):
    """Catches rounding on the way: 1 - (1 - (1 - x)) is exactly 1 - x in floating point."""
    once = invert(before)

    np.testing.assert_array_equal(invert(invert(once)), once)


@given(images())
def test_two_inversions_are_within_half_a_rounding_step(before):
    """Catches a range other than [0, 1]; equality itself is false in floating point."""
    error = np.abs(invert(invert(before)) - before)

    assert (error <= np.finfo(before.dtype).eps / 2).all()


@pytest.mark.parametrize(("dtype", "exact"), [("float64", 172), ("float32", 129)])
def test_two_inversions_restore_only_some_levels(dtype, exact):
    """Catches a hidden higher precision: of 256 grey levels only these many come back."""
    levels = np.arange(256, dtype=dtype) / np.array(255, dtype)
    before = np.resize(levels, (1, 784))

    assert (invert(invert(before)) == before)[0, :256].sum() == exact


@given(images(), st.one_of(LEVELS, st.just(0.9)))
def test_threshold_is_the_comparison_of_each_pixel(before, t):
    """Catches > for >=, and a threshold rounded to another type than the pixels'."""
    after = threshold(before, t)

    bar = before.dtype.type(t)
    expected = [1.0 if pixel >= bar else 0.0 for pixel in before.flat[::13]]
    assert list(after.flat[::13]) == expected


@given(st.sampled_from(["float32", "float64"]), st.floats(2.0**-20, 1.0, width=32))
def test_pixel_at_the_threshold_is_ink(dtype, t):
    """Catches > for >=, at the boundary itself and one rounding step below it."""
    at = np.full((1, 784), t, dtype)
    below = np.nextafter(at, np.zeros_like(at))

    assert (threshold(at, t) == 1).all()
    assert (threshold(below, t) == 0).all()


@given(images(), LEVELS, LEVELS)
def test_higher_threshold_leaves_less_ink(before, t, other):
    """Catches a comparison the wrong way round."""
    low, high = sorted((t, other))

    assert (threshold(before, high) <= threshold(before, low)).all()


@given(images(), seeds(), LEVELS)
def test_threshold_is_monotone_in_the_pixel(before, seed, t):
    """Catches a threshold taken from the set itself, such as its mean."""
    rng = np.random.default_rng(seed)
    brighter = before + rng.random(before.shape).astype(before.dtype)

    assert (threshold(before, t) <= threshold(brighter, t)).all()


@given(images(contents=("grey", "uniform")), st.integers(1, 15))
def test_threshold_after_inversion_is_the_complement_away_from_ties(before, sixteenths):
    """Catches an inversion that shifts levels; at a tie both sides are ink, so ties are moved."""
    t = sixteenths / 16
    away = np.where(np.abs(before - (1 - t)) < 1e-6, before.dtype.type(0), before)

    np.testing.assert_array_equal(threshold(invert(away), t), invert(threshold(away, 1 - t)))


@given(st.sampled_from(["float32", "float64"]), st.integers(1, 15))
def test_threshold_after_inversion_is_no_complement_at_ties(dtype, sixteenths):
    """Catches > for >= in one of the two: at a tie, the pixel and its inverse are both ink."""
    t = sixteenths / 16
    tie = np.full((1, 784), 1 - t, dtype)

    assert (threshold(invert(tie), t) == 1).all()
    assert (invert(threshold(tie, 1 - t)) == 0).all()
