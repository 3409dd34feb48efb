"""Hypothesis strategies for images, labels and models' answers.

For properties of transforms and metrics, the reader's own included. Each draws a single number,
from which NumPy makes the values: an image is one draw, not 784. Nothing is filtered away, and no
global generator is touched. Images are floats with 1.0 as full ink.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mnistrobust.readings import Reading
from mnistrobust.transforms import NOISE_LABEL, PIXELS, THRESHOLD

Shape = tuple[int, ...]
Rng = np.random.Generator

SHAPES = ((PIXELS,), (28, 28), (28, 28, 1))
DTYPES = ("float32", "float64")
CONTENTS = ("digits", "uniform", "ties", "blank", "full ink")
LAYOUTS = ("contiguous", "strided", "fortran", "read-only", "memory-mapped")
ROWS = range(7)  # empty sets and single images among them


def seeds() -> st.SearchStrategy[int]:
    """Draw seeds: whole numbers in [0, 2**32)."""
    return st.integers(0, 2**32 - 1)


def images(
    *,
    rows: Sequence[int] = ROWS,
    shapes: Sequence[Shape] = SHAPES,
    dtypes: Sequence[str] = DTYPES,
    contents: Sequence[str] = CONTENTS,
    layouts: Sequence[str] = LAYOUTS,
) -> st.SearchStrategy[np.ndarray]:
    """Draw sets of images, arrays (n, *shape) with pixels in [0, 1].

    `rows` are the n to choose from. `contents` are "digits" (mostly 0, else k / 255), "uniform",
    "ties" (0, 1, 0.9 and its neighbours), "blank" and "full ink"; `layouts` are how the array
    lies in memory. Pass fewer of them to draw only those.
    """
    return _made(_images, rows, shapes, dtypes, contents, layouts)


def frames(
    *, rows: Sequence[int] = ROWS, dtypes: Sequence[str] = DTYPES
) -> st.SearchStrategy[pd.DataFrame]:
    """Draw sets of images as pandas frames (n, 784) with pixels in [0, 1].

    The index is a range, numbers out of order, text, or has duplicates; columns are numbers or
    text.
    """
    return _made(_frame, rows, dtypes, CONTENTS, _INDEXES, (False, True))


def image_sets() -> st.SearchStrategy[Any]:
    """Draw sets of images of 0 to 6 rows: arrays of every shape, type and layout, or frames."""
    return st.one_of(images(), frames())


def not_images() -> st.SearchStrategy[Any]:
    """Draw objects that no transform takes: of a wrong kind, shape or type, or a bad pixel."""
    return st.one_of(wrong_kinds(), wrong_shapes(), wrong_types(), bad_pixels())


def wrong_kinds() -> st.SearchStrategy[Any]:
    """Draw objects that are neither array nor frame, such as None, text and lists."""
    kinds: list[Any] = [None, "images", 7, 0.5, [], [[0.0] * PIXELS], {}, pd.Series([0.0] * PIXELS)]
    return st.sampled_from(kinds)


def wrong_shapes() -> st.SearchStrategy[np.ndarray]:
    """Draw float arrays that are no set of images: single images, 783 pixels, colour."""
    single: tuple[Shape, ...] = ((), (PIXELS,), (28, 28), (28, 28, 1))
    sets = ((PIXELS - 1,), (27, 28), (28, 28, 3), (1, PIXELS), (1, 28, 28, 1), (28,), ())
    shapes = [*single, *((n, *shape) for shape in sets for n in ROWS), *((PIXELS, n) for n in ROWS)]
    return _made(lambda _, shape, dtype: np.zeros(shape, dtype), shapes, DTYPES)


def wrong_types() -> st.SearchStrategy[Any]:
    """Draw sets of images, arrays or frames, of whole numbers, truth values, text or objects."""
    dtypes = ("uint8", "int32", "int64", "bool", "complex64", "U1", "object")
    return _made(_of_type, ROWS, SHAPES, dtypes, (False, True))


def bad_pixels() -> st.SearchStrategy[Any]:
    """Draw sets of one image or more, arrays or frames, with one pixel NaN or infinite."""
    bad = (np.nan, np.inf, -np.inf)
    return _made(_with_bad_pixel, ROWS[1:], SHAPES, DTYPES, CONTENTS, bad, (False, True))


def labels(
    *, n: int | None = None, classes: int = 10, dtypes: Sequence[str] = ("int64",)
) -> st.SearchStrategy[np.ndarray]:
    """Draw labels (n,) in 0…classes-1; 0 to 50 of them where `n` is not given.

    Some sets lack a class, and some have only one.
    """
    sizes = range(51) if n is None else (n,)
    return _made(_labels, (classes,), range(1, classes + 1), dtypes, sizes)


def logits(*, rows: Sequence[int] = range(21), classes: int = 10) -> st.SearchStrategy[np.ndarray]:
    """Draw logits (n, classes), float32: flat, ordinary, or of a network that is far too certain.

    The scale is a power of ten from 0.1 to 1,000; an offset of up to 1,000 leaves every
    probability as it is.
    """
    return _made(_logits, rows, (classes,), range(-1, 4), (0.0, 1000.0, -1000.0))


def probabilities(
    *, rows: Sequence[int] = range(21), classes: int = 10
) -> st.SearchStrategy[np.ndarray]:
    """Draw probabilities (n, classes), float64, of sum 1 a row; some rows are nearly certain."""
    return logits(rows=rows, classes=classes).map(_softmax)


def readings(
    *,
    rows: Sequence[int] = range(1, 21),
    classes: Sequence[int] = (10, 11),
    noise: Sequence[bool] = (False, True),
) -> st.SearchStrategy[Reading]:
    """Draw readings of one to three draws, with any answers, confidence and losses.

    Confidence lies in (0, 1], and is often exactly float32's 0.9, the document's bar. The labels
    are among the classes, or all 10 where the view is pure noise.
    """
    right = (0.0, 0.5, 1.0)
    return _made(_reading, rows, classes, range(1, 4), right, noise)


_INDEXES: tuple[Callable[[int], pd.Index], ...] = (
    pd.RangeIndex,
    lambda n: pd.RangeIndex(3 * n, 0, -3),
    lambda n: pd.Index([f"image {i}" for i in range(n)], name="image"),
    lambda n: pd.Index(np.zeros(n, np.int64)),
)


def _made(build: Callable[..., Any], *options: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Build from a generator and one of each of the options, all by one number.

    A number costs hypothesis as much as an image costs NumPy; a tree of draws many times more.
    """

    def make(number: int) -> Any:
        chosen = []
        for option in options:
            number, place = divmod(number, len(option))
            chosen.append(option[place])
        return build(np.random.default_rng(number), *chosen)

    return st.integers(0, 2**32 * math.prod(map(len, options)) - 1).map(make)


def _images(
    rng: Rng, n: int, shape: Shape, dtype: str, content: str, layout: str = "contiguous"
) -> np.ndarray:
    pixels = _pixels(rng, content, (n, *shape), np.dtype(dtype))
    if layout == "strided":
        return np.repeat(pixels, 2, axis=0)[::2]
    if layout == "fortran":
        return np.asfortranarray(pixels)
    if layout == "memory-mapped" and n:  # no file can be mapped at no length
        with tempfile.TemporaryFile() as file:
            file.write(pixels.tobytes())
            file.flush()
            return np.memmap(file, pixels.dtype, "r", shape=pixels.shape)
    pixels.flags.writeable = layout != "read-only"
    return pixels


def _pixels(rng: Rng, content: str, shape: Shape, dtype: np.dtype[Any]) -> np.ndarray:
    if content == "digits":
        levels = rng.integers(0, 256, shape) * (rng.random(shape) < 0.2)
        return np.asarray(levels.astype(dtype) / dtype.type(255))
    if content == "uniform":
        return rng.random(shape).astype(dtype)
    if content == "ties":
        tie = dtype.type(THRESHOLD)
        near = [0, np.nextafter(tie, dtype.type(0)), tie, np.nextafter(tie, dtype.type(1)), 1]
        return np.array(near, dtype)[rng.integers(len(near), size=shape)]
    return np.full(shape, 1 if content == "full ink" else 0, dtype)


def _frame(
    rng: Rng, n: int, dtype: str, content: str, index: Callable[[int], pd.Index], text_columns: bool
) -> pd.DataFrame:
    columns = [f"pixel{i}" for i in range(PIXELS)] if text_columns else None
    return pd.DataFrame(_images(rng, n, (PIXELS,), dtype, content), index(n), columns)


def _of_type(_: Rng, n: int, shape: Shape, dtype: str, as_frame: bool) -> Any:
    values = np.zeros((n, *shape), dtype)
    return pd.DataFrame(values) if as_frame and values.ndim == 2 else values


def _with_bad_pixel(
    rng: Rng, n: int, shape: Shape, dtype: str, content: str, bad: float, as_frame: bool
) -> Any:
    values = _images(rng, n, shape, dtype, content)
    values.flat[rng.integers(values.size)] = bad
    return pd.DataFrame(values) if as_frame and values.ndim == 2 else values


def _labels(rng: Rng, classes: int, used: int, dtype: str, n: int) -> np.ndarray:
    return np.asarray(rng.permutation(classes)[rng.integers(used, size=n)], dtype)


def _logits(rng: Rng, n: int, classes: int, power: int, offset: float) -> np.ndarray:
    return rng.normal(offset, 10.0**power, (n, classes)).astype(np.float32)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values.astype(np.float64) - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _reading(rng: Rng, n: int, classes: int, draws: int, right: float, noise: bool) -> Reading:
    shape = (draws, n)
    truth = np.full(shape, NOISE_LABEL) if noise else rng.integers(classes, size=shape)
    guesses = rng.integers(classes, size=shape)
    answers = np.where(rng.random(shape) < right, truth % classes, guesses)
    levels = np.array([0.05, 0.5, 0.9, 0.95, 1.0], np.float32)
    return Reading(
        recipe="ann",
        view="clean",
        seed=int(rng.integers(2**32)),
        dataset="mnist5k",
        classes=classes,
        input_shape=(PIXELS,),
        labels=truth.astype(np.uint8),
        answers=answers.astype(np.uint8),
        confidence=levels[rng.integers(len(levels), size=shape)],
        losses=rng.exponential(size=shape).astype(np.float32),
    )
