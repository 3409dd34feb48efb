"""Transforms of images: pure functions of NumPy arrays or pandas frames.

Images are floats in which 1.0 is full ink, of shape (n, 784), (n, 28, 28) or (n, 28, 28, 1). Each
function returns a new object of the same kind, shape, dtype, index and columns, and leaves its input
unchanged. Random functions take a generator as an argument.
"""

from typing import Any, TypeVar

import numpy as np
import pandas as pd

from mnistrobust.errors import ImageError

Images = TypeVar("Images", np.ndarray, pd.DataFrame)

PIXELS = 784
THRESHOLD = 0.9
NOISE_LABEL = 10
_SHAPES = ((784,), (28, 28), (28, 28, 1))


def offset_noise(images: Images, rng: np.random.Generator) -> Images:
    """Draw one offset for each pixel, uniform in [0, 1), and add the same 784 offsets to every image.

    The document's `X.apply(lambda x: x + random.rand())` does this, because pandas applies the
    function per column. Values reach 2; nothing is clipped. Raises ImageError for other images.
    """
    values = checked(images)
    offsets = rng.random(PIXELS).reshape(values.shape[1:])
    return _like(images, values + offsets.astype(values.dtype))


def pure_noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` images (n, 784), float32, with pixels uniform in [0, 1); ImageError for n < 0."""
    if not isinstance(n, int | np.integer) or n < 0:
        raise ImageError(f"Expected a whole number of images from 0, received {n!r}; pass an int.")
    return rng.random((n, PIXELS), dtype=np.float32)


def invert(images: Images) -> Images:
    """Return 1 - x for each pixel; ImageError for other images."""
    values = checked(images)
    return _like(images, 1 - values)


def threshold(images: Images, t: float = THRESHOLD) -> Images:
    """Return 1 where a pixel is at least `t`, else 0; ImageError for others, and for no finite `t`."""
    if not np.isfinite(t):
        raise ImageError(f"Expected a finite threshold such as {THRESHOLD}, received {t}.")
    values = checked(images)
    with np.errstate(over="ignore"):  # beyond float32, t is infinite, and the result right
        ink = values >= t
    return _like(images, ink.astype(values.dtype))


def with_noise_class(
    images: np.ndarray, labels: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Append `n` pure-noise images labelled 10 to images (m, 784) and labels (m,).

    Raises ImageError for other images, or if there is not one label for each image.
    """
    values = checked(images)
    if labels.shape != values.shape[:1]:
        raise ImageError(
            f"Expected labels of shape ({len(values)},), one for each image, "
            f"received {labels.shape}; pass the labels of these images."
        )
    noise = pure_noise(n, rng).astype(values.dtype).reshape(n, *values.shape[1:])
    noise_labels = np.full(n, NOISE_LABEL, labels.dtype)
    return np.concatenate([values, noise]), np.concatenate([labels, noise_labels])


def checked(images: Any) -> np.ndarray:
    """Return finite float images as an array, not copied if possible; ImageError for others."""
    if not isinstance(images, np.ndarray | pd.DataFrame):
        kind = type(images).__name__
        raise ImageError(f"Expected a NumPy array or a pandas DataFrame, received {kind}.")
    values = np.asarray(images)
    if values.ndim < 2 or values.shape[1:] not in _SHAPES:
        raise ImageError(
            f"Expected images of shape (n, 784), (n, 28, 28) or (n, 28, 28, 1), "
            f"received {values.shape}; reshape them, or add an axis for a single image."
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise ImageError(
            f"Expected float images with 1.0 as full ink, received {values.dtype}; "
            f"divide pixels by 255.0 first."
        )
    if not np.isfinite(values).all():
        raise ImageError("Expected finite pixels, received NaN or infinity; clean the images.")
    return values


def _like(images: Images, values: np.ndarray) -> Images:
    if isinstance(images, pd.DataFrame):
        return pd.DataFrame(values, index=images.index, columns=images.columns)
    return values
