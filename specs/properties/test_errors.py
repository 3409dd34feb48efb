"""What is no set of images is refused, by name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust import metrics, transforms
from mnistrobust.errors import ImageError
from mnistrobust.fuzzing.strategies import DTYPES, ROWS, SHAPES, frames, images, seeds
from mnistrobust.transforms import PIXELS

TRANSFORMS = {
    "offset_noise": lambda each: transforms.offset_noise(each, np.random.default_rng(0)),
    "invert": transforms.invert,
    "threshold": transforms.threshold,
    "with_noise_class": lambda each: transforms.with_noise_class(
        each, np.zeros(len(each) if np.ndim(each) else 0), 1, np.random.default_rng(0)
    ),
}


def not_images():
    """Draw objects that no transform takes: of a wrong kind, shape or type, or a bad pixel."""
    return st.one_of(wrong_kinds(), wrong_shapes(), wrong_types(), bad_pixels())


def wrong_kinds():
    """Draw objects that are neither array nor frame, such as None, text and lists."""
    kinds = [None, "images", 7, 0.5, [], [[0.0] * PIXELS], {}, pd.Series([0.0] * PIXELS)]
    return st.sampled_from(kinds)


def wrong_shapes():
    """Draw float arrays that are no set of images: single images, 783 pixels, colour."""
    single = ((), (PIXELS,), (28, 28), (28, 28, 1))
    sets = ((PIXELS - 1,), (27, 28), (28, 28, 3), (1, PIXELS), (1, 28, 28, 1), (28,), ())
    shapes = [*single, *((n, *shape) for shape in sets for n in ROWS), *((PIXELS, n) for n in ROWS)]
    return st.builds(np.zeros, shape=st.sampled_from(shapes), dtype=st.sampled_from(DTYPES))


def wrong_types():
    """Draw sets of images, arrays or frames, of whole numbers, truth values, text or objects."""
    dtypes = ("uint8", "int32", "int64", "bool", "complex64", "U1", "object")
    shapes = [(n, *shape) for shape in SHAPES for n in ROWS]
    arrays = st.builds(np.zeros, shape=st.sampled_from(shapes), dtype=st.sampled_from(dtypes))
    flat = st.sampled_from([(n, PIXELS) for n in ROWS])
    zeros = st.builds(np.zeros, shape=flat, dtype=st.sampled_from(dtypes))
    return st.one_of(arrays, st.builds(pd.DataFrame, zeros))


def bad_pixels():
    """Draw sets of one image or more, arrays or frames, with one pixel NaN or infinite."""
    return st.builds(
        with_bad_pixel,
        st.one_of(images(rows=ROWS[1:], layouts=("contiguous",)), frames(rows=ROWS[1:])),
        seed=seeds(),
        value=st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    )


def with_bad_pixel(images, seed, value):
    """Return a copy of images, an array or a frame, with `value` at one random pixel."""
    pixels = np.array(images)
    pixels.flat[np.random.default_rng(seed).integers(pixels.size)] = value
    if isinstance(images, pd.DataFrame):
        return pd.DataFrame(pixels, images.index, images.columns)
    return pixels


def refused(call, *arguments):
    """Return the message of the ImageError, which has all its three parts."""
    with pytest.raises(ImageError) as caught:
        call(*arguments)
    assert isinstance(caught.value, ValueError)  # what callers know who know only Python's own
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert "received " in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@given(not_images())
def test_every_transform_refuses_what_is_no_image(transform, value):
    """Catches a transform that skips the check, and a message without one of its three parts."""
    refused(transform, value)


@given(wrong_kinds())
def test_wrong_kind_is_named(value):
    """Catches a list or None that is converted silently."""
    assert type(value).__name__ in refused(transforms.checked, value)


@given(wrong_shapes())
def test_wrong_shape_is_named_with_a_remedy(value):
    """Catches 783 pixels, colour images and single images that broadcast."""
    message = refused(transforms.checked, value)

    assert str(value.shape) in message
    assert "reshape" in message


@given(wrong_types())
def test_wrong_type_is_named_with_a_remedy(value):
    """Catches uint8, whose 1 - x wraps around."""
    message = refused(transforms.checked, value)

    assert str(np.asarray(value).dtype) in message
    assert "255" in message


@given(bad_pixels())
def test_one_bad_pixel_anywhere_is_found(value):
    """Catches NaN, which the document's threshold turns into ink, and infinities."""
    assert "NaN or infinity" in refused(transforms.checked, value)


@given(images(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_threshold_that_is_not_finite_is_refused(before, t):
    """Catches NaN as a threshold, which leaves every image blank."""
    assert str(t) in refused(transforms.threshold, before, t)


@given(st.one_of(st.integers(-10, -1), st.sampled_from([2.5, "many", None])), seeds())
def test_impossible_number_of_noise_images_is_refused(n, seed):
    """Catches NumPy's own message, which names an axis."""
    assert repr(n) in refused(transforms.pure_noise, n, np.random.default_rng(seed))


@given(images(), st.integers(1, 3), seeds())
def test_labels_of_another_length_are_refused(before, more, seed):
    """Catches labels shifted against their images by the noise class."""
    labels = np.zeros(len(before) + more, np.int64)
    rng = np.random.default_rng(seed)

    assert str(labels.shape) in refused(transforms.with_noise_class, before, labels, 1, rng)


@given(st.integers(2, 11), st.integers(0, 3), st.booleans())
def test_label_beyond_the_classes_is_refused(classes, more, as_answer):
    """Catches a confusion matrix that counts an unknown answer in the next label's row."""
    inside, beyond = np.zeros(3, np.int64), np.array([0, classes + more, 0])
    pair = (inside, beyond) if as_answer else (beyond, inside)

    assert f"0…{classes - 1}" in refused(metrics.confusion, *pair, classes)
