"""The held-out images as an evaluator sees them.

A view is one or more draws, each a set of images (n, 784), float32, and labels (n,), int64. To
add one, write a function of the data set and a generator, and name it in `VIEWS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mnistrobust import transforms
from mnistrobust.data import Dataset
from mnistrobust.errors import unknown

Draw = tuple[np.ndarray, np.ndarray]

OFFSET_DRAWS = 32
NOISE_IMAGES = 10_000


@dataclass(frozen=True, kw_only=True)
class View:
    """A named way to see the held-out images; `summary` is one line for the user."""

    name: str
    summary: str
    draws: Callable[[Dataset, np.random.Generator], Iterator[Draw]]


def clean(dataset: Dataset, _: np.random.Generator) -> Iterator[Draw]:
    """Yield the held-out images as they are."""
    yield dataset.test_images, dataset.test_labels


def offset_noise(dataset: Dataset, rng: np.random.Generator) -> Iterator[Draw]:
    """Yield 32 draws of one offset for 2,000 fixed images (for all, where there are fewer)."""
    images, labels = dataset.test_images[dataset.subset], dataset.test_labels[dataset.subset]
    for _ in range(OFFSET_DRAWS):
        yield transforms.offset_noise(images, rng), labels


def pure_noise(_: Dataset, rng: np.random.Generator) -> Iterator[Draw]:
    """Yield 10,000 images of uniform noise; their label is the noise class, 10."""
    labels = np.full(NOISE_IMAGES, transforms.NOISE_LABEL, np.int64)
    yield transforms.pure_noise(NOISE_IMAGES, rng), labels


def inverted(dataset: Dataset, _: np.random.Generator) -> Iterator[Draw]:
    """Yield the held-out images as 1 - x."""
    yield transforms.invert(dataset.test_images), dataset.test_labels


def threshold(dataset: Dataset, _: np.random.Generator) -> Iterator[Draw]:
    """Yield the held-out images thresholded at 0.9."""
    yield transforms.threshold(dataset.test_images), dataset.test_labels


VIEWS = MappingProxyType(
    {
        view.name: view
        for view in (
            View(name="clean", summary="held-out digits", draws=clean),
            View(
                name="offset-noise",
                summary="one offset in [0, 1) for each pixel, 32 draws",
                draws=offset_noise,
            ),
            View(name="pure-noise", summary="uniform noise, no digit", draws=pure_noise),
            View(name="inverted", summary="1 - x", draws=inverted),
            View(name="threshold", summary="black and white at 0.9", draws=threshold),
        )
    }
)


def view_named(name: str) -> View:
    """Return the view of that name; UsageError with the nearest name when there is none."""
    if name not in VIEWS:
        raise unknown("view", name, VIEWS)
    return VIEWS[name]
