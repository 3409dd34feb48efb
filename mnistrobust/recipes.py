"""Recipes: everything that determines a trained model, but the seed."""

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust import transforms
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError, unknown
from mnistrobust.randomness import stream


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to train one network; an immutable value.

    `architecture` names a builder of `mnistrobust.models`, `transform` one of `offset_noise` and
    `threshold` (None for clean digits), `rows` limits the training set to its first rows, and
    `noise_class` adds an eleventh class of pure noise, one image for twelve digits.
    """

    name: str
    architecture: str
    transform: str | None = None
    rows: int | None = None
    noise_class: bool = False
    epochs: int = 10
    batch_size: int = 32  # Keras's default, which the document uses

    @property
    def classes(self) -> int:
        """The number of classes: 10 digits, and 11 with the noise class."""
        return 11 if self.noise_class else 10

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def size(self, train_rows: int) -> int:
        """Return how many images this recipe trains on, of a set of `train_rows`."""
        digits = min(self.rows or train_rows, train_rows)
        return digits + (noise_rows(train_rows) if self.noise_class else 0)


_ALL = (
    Recipe(name="ann", architecture="ann"),
    Recipe(name="ann_1000", architecture="ann", rows=1000),
    Recipe(name="ann_threshold_1000", architecture="ann", rows=1000, transform="threshold"),
    Recipe(name="ann_noisy", architecture="ann", transform="offset_noise"),
    Recipe(name="ann_plusnoisy", architecture="ann", noise_class=True),
    Recipe(
        name="ann_noisy_plusnoise", architecture="ann", transform="offset_noise", noise_class=True
    ),
    Recipe(name="rnn", architecture="rnn"),
    Recipe(name="rnn_noisy", architecture="rnn", transform="offset_noise"),
    Recipe(name="rnn_1000", architecture="rnn", rows=1000),
    Recipe(name="rnn_threshold_1000", architecture="rnn", rows=1000, transform="threshold"),
    Recipe(name="cnn", architecture="cnn", epochs=2),
    Recipe(name="cnn_1000", architecture="cnn", rows=1000),
    Recipe(name="cnn_1000_two_epochs", architecture="cnn", rows=1000, epochs=2),
    Recipe(name="cnn_noisy", architecture="cnn", transform="offset_noise", epochs=2),
)

RECIPES = MappingProxyType({recipe.name: recipe for recipe in _ALL})


def recipe_named(name: str) -> Recipe:
    """Return the recipe of that name; UsageError with the nearest name when there is none."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def noise_rows(train_rows: int) -> int:
    """Return the size of the noise class: 5,000 for 60,000 digits, 333 for 4,000."""
    return round(train_rows / 12)


def training_set(recipe: Recipe, dataset: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 784), float32, and labels (n,), int64, that a recipe trains on.

    The offset is one draw a seed, shared by all recipes, as in the document; the noise class is
    drawn for each recipe and seed. Raises UsageError for an unknown transform.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if recipe.rows is not None:
        images, labels = images[: recipe.rows], labels[: recipe.rows]
    if recipe.transform == "offset_noise":
        images = transforms.offset_noise(images, stream(seed, "train-offset"))
    elif recipe.transform == "threshold":
        images = transforms.threshold(images)
    elif recipe.transform is not None:
        raise UsageError(
            f"Recipe '{recipe.name}' names the transform '{recipe.transform}': "
            f"expected offset_noise or threshold; see training_set in mnistrobust/recipes.py."
        )
    if recipe.noise_class:
        rng = stream(seed, recipe.name, "noise-class")
        count = noise_rows(len(dataset.train_labels))
        images, labels = transforms.with_noise_class(images, labels, count, rng)
    return images, labels
