"""The inputs of the checks: sets of images (n, 784), float32, and labels (n,), int64, or None.

Digits are the held-out ones. Pixels lie in [0, 1], but for offset noise (to 2) and scaled noise (to 10).
The same data set gives the same bytes in every run.
"""

from collections.abc import Callable
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mnistrobust.conditions import condition_named
from mnistrobust.data import Dataset
from mnistrobust.randomness import stream
from mnistrobust.transforms import PIXELS, pure_noise

OFFSET_DRAWS = 8  # of the condition's 32, for time's sake: an offset draw costs 2,000 predictions
REORDERED = 500
SCALE = 10.0
_SEED = 0


class InputSet(NamedTuple):
    """Images (n, 784) and the labels (n,), or None where there is no right one."""

    images: np.ndarray
    labels: np.ndarray | None = None


class Family(NamedTuple):
    """A set: one line for the user, and how it is drawn, where it is none of digits or conditions."""

    summary: str
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray] | None = None


def reordering(dataset: Dataset) -> np.ndarray:
    """Return which held-out images the set `reordered` has, (500,), in its order."""
    return stream(_SEED, "checks", "reordered").permutation(len(dataset.test_labels))[:REORDERED]


def _low_frequency(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = pure_noise(len(digits), rng).reshape(-1, 28, 28)
    widths = rng.uniform(1.0, 2.5, len(digits))
    smooth = np.stack([gaussian_filter(*pair) for pair in zip(noise, widths, strict=True)])
    low = smooth.min(axis=(1, 2), keepdims=True)
    stretched = (smooth - low) / (smooth.max(axis=(1, 2), keepdims=True) - low)
    return np.asarray(stretched.reshape(-1, PIXELS))


_DIGITS = {
    "clean": Family("held-out digits"),
    "reordered": Family("500 of them in another order"),
    "threshold": Family("black and white at 0.9"),
    "offset-noise": Family("one offset in [0, 1) for each pixel, 8 draws"),
    "inverted": Family("1 - x"),
}
_NO_DIGITS = {
    "uniform": Family("every pixel uniform in [0, 1): pure noise"),
    "gaussian": Family(
        "every pixel normal (mean 0.5, variance 1), cut to [0, 1]: Liang et al., 2018",
        lambda rng, digits: np.clip(rng.normal(0.5, 1, digits.shape), 0, 1),
    ),
    "bernoulli": Family(
        "every pixel 0 or 1, by a fair coin", lambda rng, digits: rng.random(digits.shape) < 0.5
    ),
    "permuted": Family(
        "digits, the pixels of each in an order of its own",
        lambda rng, digits: rng.permuted(digits, axis=1),
    ),
    "low-frequency": Family(
        "uniform noise, smoothed (sigma 1 to 2.5), stretched to [0, 1]: Hein et al., 2019",
        _low_frequency,
    ),
    "scaled": Family(
        "10 times uniform noise, far from all training: Hein et al., 2019",
        lambda rng, digits: SCALE * pure_noise(len(digits), rng),
    ),
    "blank": Family("no ink at all", lambda _, digits: np.zeros_like(digits)),
}
FAMILIES = MappingProxyType(_DIGITS | _NO_DIGITS)
OUTLIERS = (*_NO_DIGITS, "inverted")


def inputs_named(name: str, dataset: Dataset) -> InputSet:
    """Return the set of images of that name, or of a perturbation at a dose, as read-only arrays."""
    found = _drawn(name, dataset)
    for array in found:
        if array is not None:
            array.flags.writeable = False  # a model may write to what it is given
    return found


def _drawn(name: str, dataset: Dataset) -> InputSet:
    draw = FAMILIES[name].draw if name in FAMILIES else None
    if draw:  # as many images as there are digits to compare them with
        digits = dataset.test_images[dataset.subset]
        return InputSet(draw(stream(_SEED, "checks", name), digits).astype(np.float32))
    if name == "reordered":
        order = reordering(dataset)
        return InputSet(dataset.test_images[order], dataset.test_labels[order])
    condition = "pure-noise" if name == "uniform" else name
    every = condition_named(condition).drawn(dataset, _SEED)
    images, labels = map(np.concatenate, zip(*islice(every, OFFSET_DRAWS), strict=True))
    return InputSet(images, None if name == "uniform" else labels)
