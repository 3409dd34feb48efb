"""Conditions: the ways in which the held-out test images are presented to a network.

A condition gives one or more draws: images (n, 784), float32, and labels (n,), int64. To add one,
write a function that takes the data set and a generator, and add it to `CONDITIONS`. Every
perturbation at a dose is a condition, too, such as `rotate:15`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from mnistrobust import transforms
from mnistrobust.data import Dataset
from mnistrobust.errors import unknown
from mnistrobust.perturbations import PERTURBATIONS, Perturbation, dosed
from mnistrobust.randomness import stream

Draw = tuple[np.ndarray, np.ndarray]

OFFSET_DRAWS = 32
SHARED_DRAWS = 8  # of a perturbation at one dose, if all images share one draw
NOISE_IMAGES = 10_000


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A named way to present the held-out images; a perturbation at a dose, or one of `CONDITIONS`."""

    name: str
    summary: str  # one line for the user
    draws: Callable[[Dataset, np.random.Generator], Iterator[Draw]]
    perturbation: Perturbation | None = None

    def drawn(self, dataset: Dataset, seed: int) -> Iterator[Draw]:
        """Yield what every network of a replicate is shown; the noise is the same at every dose."""
        noise = self.perturbation.name if self.perturbation else self.name
        # the key stays "view", as when the evidence was made: another key would draw other noise
        return self.draws(dataset, stream(seed, "view", noise))


def clean(dataset: Dataset, _: np.random.Generator) -> Iterator[Draw]:
    """Yield the held-out images unchanged."""
    yield dataset.test_images, dataset.test_labels


def offset_noise(dataset: Dataset, rng: np.random.Generator) -> Iterator[Draw]:
    """Yield 32 draws of 2,000 fixed images (of all, if there are fewer), each with its own offset."""
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


def perturbed(
    perturbation: Perturbation,
    dose: float,
    dataset: Dataset,
    rng: np.random.Generator,
    shared_draws: int = SHARED_DRAWS,
) -> Iterator[Draw]:
    """Yield 2,000 fixed images (all, if there are fewer), perturbed; 8 draws if images share one."""
    images, labels = dataset.test_images[dataset.subset], dataset.test_labels[dataset.subset]
    for _ in range(shared_draws if perturbation.shared else 1):
        yield perturbation(images, dose, rng), labels


_OFFSET = "one offset in [0, 1) for each pixel, 32 draws"
_ALL = (
    Condition(name="clean", summary="held-out digits", draws=clean),
    Condition(name="offset-noise", summary=_OFFSET, draws=offset_noise),
    Condition(name="pure-noise", summary="uniform noise, no digit", draws=pure_noise),
    Condition(name="inverted", summary="1 - x", draws=inverted),
    Condition(name="threshold", summary="black and white at 0.9", draws=threshold),
)
CONDITIONS = MappingProxyType({condition.name: condition for condition in _ALL})


def condition_named(name: str) -> Condition:
    """Return the condition of that name, such as `inverted` or `rotate:15`.

    Raises UsageError with the nearest name if there is none, DoseError for a dose that is missing
    or out of range.
    """
    if name in CONDITIONS:
        return CONDITIONS[name]
    if ":" not in name and name not in PERTURBATIONS:
        raise unknown("condition", name, dict.fromkeys([*CONDITIONS, *PERTURBATIONS]))
    perturbation, dose = dosed(name)
    written = repr(dose).removesuffix(".0")
    return Condition(
        name=f"{perturbation.name}:{written}",
        summary=f"{perturbation.summary}: {written} ({perturbation.unit})",
        draws=partial(perturbed, perturbation, dose),
        perturbation=perturbation,
    )
