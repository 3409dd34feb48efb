"""The battery's inputs: sets of images that a model is asked about, each once.

A set is images (n, 784), float32, and the right answers (n,), int64, or None where there is none.
Digits are the held-out ones. Pixels lie in [0, 1], but for offset noise (to 2) and scaled noise
(to 10). The same data set gives the same bytes in every run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

import numpy as np

from mnistrobust.data import Dataset
from mnistrobust.randomness import stream
from mnistrobust.transforms import PIXELS, pure_noise
from mnistrobust.views import view_named

OFFSET_DRAWS = 8  # of the view's 32, for time's sake: an offset draw costs 2,000 predictions
REORDERED = 500
SCALE = 10.0
_SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class InputSet:
    """Images (n, 784) and the right answers (n,), or None where there is no right one."""

    images: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Family:
    """A named way to make a set; `summary` is one line for the user."""

    name: str
    summary: str
    make: Callable[[Dataset], InputSet]
    outlier: bool = False


def _view(name: str, draws: int = 1) -> Callable[[Dataset], InputSet]:
    def make(dataset: Dataset) -> InputSet:
        found = list(islice(view_named(name).draws(dataset, stream(_SEED, "view", name)), draws))
        images, labels = (np.concatenate(each) for each in zip(*found, strict=True))
        return InputSet(images=images, labels=None if name == "pure-noise" else labels)

    return make


def _reordered(dataset: Dataset) -> InputSet:
    order = reordering(dataset)
    return InputSet(images=dataset.test_images[order], labels=dataset.test_labels[order])


def reordering(dataset: Dataset) -> np.ndarray:
    """Return which held-out images the set `reordered` has, (500,), in its order."""
    order = stream(_SEED, "battery", "reordered").permutation(len(dataset.test_labels))
    return order[:REORDERED]


def _outliers(
    name: str, draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]
) -> Callable[[Dataset], InputSet]:
    """Make as many as there are digits to compare them with."""

    def make(dataset: Dataset) -> InputSet:
        digits = dataset.test_images[dataset.subset]
        images = draw(stream(_SEED, "battery", name), digits)
        return InputSet(images=images.astype(np.float32), labels=None)

    return make


def _gaussian(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    return np.clip(rng.normal(0.5, 1.0, digits.shape), 0, 1)


def _bernoulli(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    return rng.random(digits.shape) < 0.5


def _permuted(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    return rng.permuted(digits, axis=1)


def _low_frequency(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = pure_noise(len(digits), rng).reshape(-1, 28, 28)
    widths = rng.uniform(1.0, 2.5, len(digits))
    smooth = np.stack([gaussian_filter(each, w) for each, w in zip(noise, widths, strict=True)])
    low = smooth.min(axis=(1, 2), keepdims=True)
    stretched = (smooth - low) / (smooth.max(axis=(1, 2), keepdims=True) - low)
    return np.asarray(stretched.reshape(-1, PIXELS))


def _scaled(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    return SCALE * pure_noise(len(digits), rng)


FAMILIES = MappingProxyType(
    {
        each.name: each
        for each in (
            Family(name="clean", summary="held-out digits", make=_view("clean")),
            Family(name="reordered", summary="500 of them in another order", make=_reordered),
            Family(name="threshold", summary="black and white at 0.9", make=_view("threshold")),
            Family(
                name="offset-noise",
                summary="one offset in [0, 1) for each pixel, 8 draws",
                make=_view("offset-noise", OFFSET_DRAWS),
            ),
            Family(name="inverted", summary="1 - x", make=_view("inverted")),
            Family(
                name="uniform",
                summary="every pixel uniform in [0, 1): pure noise",
                make=_view("pure-noise"),
                outlier=True,
            ),
            Family(
                name="gaussian",
                summary="every pixel normal (mean 0.5, variance 1), cut to [0, 1]: Liang et al., "
                "2018",
                make=_outliers("gaussian", _gaussian),
                outlier=True,
            ),
            Family(
                name="bernoulli",
                summary="every pixel 0 or 1, by a fair coin",
                make=_outliers("bernoulli", _bernoulli),
                outlier=True,
            ),
            Family(
                name="permuted",
                summary="digits, the pixels of each in an order of its own",
                make=_outliers("permuted", _permuted),
                outlier=True,
            ),
            Family(
                name="low-frequency",
                summary="uniform noise, smoothed (sigma 1 to 2.5), stretched to [0, 1]: Hein et "
                "al., 2019",
                make=_outliers("low-frequency", _low_frequency),
                outlier=True,
            ),
            Family(
                name="scaled",
                summary="10 times uniform noise, far from all training: Hein et al., 2019",
                make=_outliers("scaled", _scaled),
                outlier=True,
            ),
            Family(
                name="blank",
                summary="no ink at all",
                make=_outliers("blank", lambda _, digits: np.zeros_like(digits)),
                outlier=True,
            ),
        )
    }
)
OUTLIERS = (*(name for name, each in FAMILIES.items() if each.outlier), "inverted")


def made(name: str, dataset: Dataset) -> InputSet:
    """Return the set of that name; its arrays are not to be written to."""
    return FAMILIES[name].make(dataset)
