"""Recipes: everything that determines a trained network, except the seed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust import transforms
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError, unknown
from mnistrobust.models import ANN, CNN, RNN, Architecture
from mnistrobust.randomness import stream


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to train one network; an immutable value."""

    name: str
    architecture: Architecture
    transform: str | None = None  # a function of transforms.py; None for clean digits
    rows: int | None = None  # only the first of the training set
    noise_class: bool = False  # an eleventh, of pure noise: one image for twelve digits
    epochs: int = 10
    batch_size: int = 32  # Keras's default, which the document uses

    @property
    def classes(self) -> int:
        """The number of classes: 10, or 11 with the noise class."""
        return 11 if self.noise_class else 10

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, the architecture by its name."""
        return {**asdict(self), "architecture": self.architecture.name}

    def size(self, train_rows: int) -> int:
        """Return how many images this recipe trains on, given a training set of `train_rows`."""
        digits = min(self.rows or train_rows, train_rows)
        return digits + (noise_rows(train_rows) if self.noise_class else 0)


_ALL = (
    Recipe(name="ann", architecture=ANN),
    Recipe(name="ann_1000", architecture=ANN, rows=1000),
    Recipe(name="ann_threshold_1000", architecture=ANN, rows=1000, transform="threshold"),
    Recipe(name="ann_noisy", architecture=ANN, transform="offset_noise"),
    Recipe(name="ann_plusnoisy", architecture=ANN, noise_class=True),
    Recipe(
        name="ann_noisy_plusnoise", architecture=ANN, transform="offset_noise", noise_class=True
    ),
    Recipe(name="rnn", architecture=RNN),
    Recipe(name="rnn_noisy", architecture=RNN, transform="offset_noise"),
    Recipe(name="rnn_1000", architecture=RNN, rows=1000),
    Recipe(name="rnn_threshold_1000", architecture=RNN, rows=1000, transform="threshold"),
    Recipe(name="cnn", architecture=CNN, epochs=2),
    Recipe(name="cnn_1000", architecture=CNN, rows=1000),
    Recipe(name="cnn_noisy", architecture=CNN, transform="offset_noise", epochs=2),
)

RECIPES = MappingProxyType({recipe.name: recipe for recipe in _ALL})


def recipe_named(name: str, recipes: Mapping[str, Recipe] = RECIPES) -> Recipe:
    """Return the recipe of that name; raise UsageError with the nearest name if there is none."""
    if name not in recipes:
        raise unknown("recipe", name, recipes)
    return recipes[name]


def noise_rows(train_rows: int) -> int:
    """Return the size of the noise class: 5,000 for 60,000 digits, 333 for 4,000."""
    return round(train_rows / 12)


def training_set(recipe: Recipe, dataset: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 784), float32, and labels (n,), int64, that a recipe trains on.

    All recipes of a seed share one offset, as in the document; each has its own noise. Raises
    UsageError for an unknown transform.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if recipe.rows is not None:
        images, labels = images[: recipe.rows], labels[: recipe.rows]
    if recipe.transform == "offset_noise":
        images = transforms.offset_noise(images, stream(seed, "train-offset"))
    elif recipe.transform is not None:
        transform = getattr(transforms, recipe.transform, None)
        if transform is None:
            raise UsageError(
                f"Recipe '{recipe.name}' names the transform '{recipe.transform}': "
                f"expected a function of mnistrobust/transforms.py."
            )
        images = transform(images)
    if recipe.noise_class:
        rng = stream(seed, recipe.name, "noise-class")
        count = noise_rows(len(dataset.train_labels))
        images, labels = transforms.with_noise_class(images, labels, count, rng)
    return images, labels
