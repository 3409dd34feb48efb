"""What every transform keeps, whatever it does to the pixels."""

import inspect

import numpy as np
import pytest
from hypothesis import given

from mnistrobust import transforms
from mnistrobust.fuzzing import LAWS, check_transform
from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.randomness import stream

# Each maps images, and perhaps a generator, to images of the same kind.
TRANSFORMS = {
    "offset_noise": transforms.offset_noise,
    "invert": transforms.invert,
    "threshold": transforms.threshold,
    "any threshold": lambda images, rng: transforms.threshold(images, rng.random()),
}
WITHOUT_NOISE = ["range", "half_turn"]
MAKING_IMAGES = {"pure_noise", "with_noise_class"}  # test_noise.py has their laws
every_transform = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)


def test_every_transform_has_laws():
    """Catches a transform that is added without being fuzzed."""
    public = {
        name
        for name, each in inspect.getmembers(transforms, inspect.isfunction)
        if each.__module__ == transforms.__name__ and not name.startswith("_")
    }

    assert public - {"checked"} == (TRANSFORMS.keys() - {"any threshold"}) | MAKING_IMAGES


@pytest.mark.parametrize("law", [law for law in LAWS if law not in WITHOUT_NOISE])
@every_transform
def test_transforms_keep_the_catalogue(transform, law):
    """Catches what a law of `mnistrobust.fuzzing` says, in arrays and frames."""
    check_transform(transform, [law], shape=(784,))


@pytest.mark.parametrize("law", WITHOUT_NOISE)
@pytest.mark.parametrize("name", ["invert", "threshold", "any threshold"])
def test_transforms_without_noise_keep_the_rest(name, law):
    """Catches a pixel that leaves [0, 1], and one that depends on its place."""
    check_transform(TRANSFORMS[name], [law])


@given(seeds())
def test_pure_noise_leaves_global_generators_alone(seed):
    """Catches noise from NumPy's global generator."""
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    transforms.pure_noise(3, stream(seed, "pure-noise"))

    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
