"""What each condition shows a network, on the data of this run."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust import data
from mnistrobust.conditions import CONDITIONS
from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.recipes import RECIPES
from specs.properties.recorded import shown
from specs.properties.uniformity import (
    assert_all_floats,
    assert_independent,
    assert_other,
    assert_uniform,
)

# An example is a whole test set.
few = settings(max_examples=max(3, settings.default.max_examples // 10))
MORE = st.integers(1, 2**32)  # what another seed has more
FORMULAS = {
    "clean": lambda pixels: pixels,
    "inverted": lambda pixels: 1 - pixels,
    "threshold": lambda pixels: np.where(pixels >= np.float32(0.9), 1, 0),
}
NOISY = sorted(CONDITIONS.keys() - FORMULAS.keys())


@pytest.fixture(scope="module")
def source(settings):
    return settings.source


@pytest.fixture(scope="module")
def held_out(source):
    """The held-out images (n, 784), read without the library's own scaling, and their labels."""
    arrays = data.load(source).arrays
    pixels = arrays["x_test"].reshape(-1, 784).astype(np.float32) / np.float32(255)
    return pixels, arrays["y_test"]


@pytest.mark.parametrize("condition", FORMULAS)
@few
@given(seed=seeds())
def test_condition_is_its_formula(source, held_out, condition, seed):
    """Catches another threshold than 0.9, unscaled pixels, rows out of step, missing images."""
    pixels, labels = held_out
    seen = shown(condition, source, seed)

    assert len(seen.sets) == 1
    np.testing.assert_array_equal(seen.sets[0], FORMULAS[condition](pixels))
    assert seen.sets[0].dtype == np.float32
    np.testing.assert_array_equal(seen.labels, [labels])


@few
@given(seed=seeds())
def test_offset_noise_is_32_draws_of_one_offset(source, held_out, seed):
    """Catches a draw that is repeated, offsets for each image, and images out of step.

    Fails falsely in 1 run of 1e9; sees a distribution of offsets that differs by 0.05 anywhere.
    """
    subset = data.load(source).subset
    pixels, labels = held_out[0][subset], held_out[1][subset]
    seen = shown("offset-noise", source, seed)
    offsets = np.array([noisy[0] - pixels[0] for noisy in seen.sets])

    assert offsets.shape == (32, 784)
    for noisy, offset in zip(seen.sets[::8], offsets[::8], strict=True):
        np.testing.assert_allclose(noisy, pixels + offset, atol=1e-6)
    for one, other in combinations(offsets, 2):
        assert_other(one, than=other)
    assert_all_floats(offsets[0])
    assert_uniform(offsets, sees=0.025)
    np.testing.assert_array_equal(seen.labels, [labels] * 32)


@few
@given(seed=seeds())
def test_pure_noise_is_10000_independent_images(source, seed):
    """Catches images that are repeated, 256 grey levels, noise on digits, and a label beside 10.

    Fails falsely in 1 run of 1e9; sees a correlation of 0.05.
    """
    seen = shown("pure-noise", source, seed)
    noise = seen.sets[0]

    assert len(seen.sets) == 1
    assert noise.shape == (10_000, 784)
    assert len({image[:8].tobytes() for image in noise}) == 10_000
    assert_all_floats(noise[::5000])
    assert_uniform(noise[::100], sees=0.05)
    assert_independent(noise[:, ::16], noise[:, 1::16], sees=0.1)
    assert (seen.labels == 10).all()


@pytest.mark.parametrize("condition", NOISY)
@few
@given(seed=seeds(), more=MORE)
def test_noise_depends_on_the_seed(source, condition, seed, more):
    """Catches an evaluation that shows every replicate the same noise."""
    sets = [shown(condition, source, each, most=1).sets[0][0] for each in (seed, seed + more)]

    assert_other(*sets)


@pytest.mark.parametrize("condition", NOISY)
@few
@given(seed=seeds(), recipe=st.sampled_from(list(RECIPES)))
def test_networks_of_a_replicate_are_shown_the_same_noise(source, condition, seed, recipe):
    """Catches noise that depends on the recipe: a difference of two could be the noise's."""
    one, other = (shown(condition, source, seed, each, most=1) for each in ("ann", recipe))

    assert np.array_equal(one.sets[0], other.sets[0])
