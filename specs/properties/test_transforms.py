"""What every transform keeps, whatever it does to the pixels."""

import random

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust import transforms
from mnistrobust.randomness import stream
from mnistrobust.strategies import frames, image_sets, images, seeds

# Each maps images and a seed to images.
TRANSFORMS = st.sampled_from(
    [
        lambda each, seed: transforms.offset_noise(each, np.random.default_rng(seed)),
        lambda each, _: transforms.invert(each),
        lambda each, _: transforms.threshold(each),
        lambda each, seed: transforms.threshold(each, np.random.default_rng(seed).random()),
    ]
)


def global_states():
    """Return the states of Python's and NumPy's global generators."""
    _, numbers, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numbers.tobytes(), rest


@given(TRANSFORMS, image_sets(), seeds())
def test_shape_and_type_are_kept(transform, before, seed):
    """Catches a result that is flattened, or turned into float64."""
    after = transform(before, seed)

    assert isinstance(after, pd.DataFrame) == isinstance(before, pd.DataFrame)
    assert after.shape == before.shape
    assert np.asarray(after).dtype == np.asarray(before).dtype


@given(TRANSFORMS, frames(), seeds())
def test_frames_keep_index_and_columns_and_agree_with_arrays(transform, before, seed):
    """Catches a frame that loses its index or columns, or whose rows are matched by index."""
    after = transform(before, seed)

    pd.testing.assert_index_equal(after.index, before.index)
    pd.testing.assert_index_equal(after.columns, before.columns)
    np.testing.assert_array_equal(after, transform(before.to_numpy(), seed))


@given(TRANSFORMS, image_sets(), seeds())
def test_input_is_untouched(transform, before, seed):
    """Catches a write into the images given, now or later through a result that is a view."""
    copy = np.array(before)
    after = transform(before, seed)

    np.testing.assert_array_equal(before, copy)
    assert not np.shares_memory(np.asarray(after), np.asarray(before))


@given(TRANSFORMS, images(), seeds())
def test_rows_are_equivariant(transform, before, seed):
    """Catches an image that depends on its place in the set, or on its neighbours."""
    order = np.random.default_rng(seed).permutation(len(before))

    np.testing.assert_array_equal(transform(before[order], seed), transform(before, seed)[order])


@given(TRANSFORMS, images(), seeds(), st.integers(0, 6))
def test_batches_are_splittable(transform, before, seed, cut):
    """Catches a result that depends on how many images come at once; the offset is the same."""
    parts = [transform(before[:cut], seed), transform(before[cut:], seed)]

    np.testing.assert_array_equal(np.concatenate(parts), transform(before, seed))


@given(TRANSFORMS, images(shapes=((784,),)), seeds())
def test_shapes_agree(transform, flat, seed):
    """Catches rows and columns that are swapped in square images."""
    after = transform(flat, seed)

    for shape in ((28, 28), (28, 28, 1)):
        square = transform(flat.reshape(-1, *shape), seed)
        np.testing.assert_array_equal(square.reshape(-1, 784), after)


@given(TRANSFORMS, images(layouts=("strided", "fortran", "read-only", "memory-mapped")), seeds())
def test_memory_layout_changes_nothing(transform, laid_out, seed):
    """Catches strides that are ignored, and a write to a read-only or mapped array."""
    np.testing.assert_array_equal(
        transform(laid_out, seed), transform(np.array(laid_out, order="C"), seed)
    )


@given(TRANSFORMS, images(), seeds())
def test_equal_seeds_give_equal_images(transform, before, seed):
    """Catches randomness that comes from elsewhere than the argument."""
    np.testing.assert_array_equal(transform(before, seed), transform(before, seed))


@given(TRANSFORMS, images(), seeds())
def test_global_generators_are_untouched(transform, before, seed):
    """Catches a draw from, or a seed of, NumPy's or Python's global generator."""
    states = global_states()
    transform(before, seed)
    transforms.pure_noise(len(before), stream(seed, "pure-noise"))

    assert global_states() == states
