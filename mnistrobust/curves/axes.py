"""Axes: what in the document has a dose, and a replicate in which one of them is at another dose.

A claim's spec asks such a replicate as it asks the document's: `evaluate("ann", on="offset-noise")`.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust import data, transforms
from mnistrobust.conditions import (
    CONDITIONS,
    OFFSET_DRAWS,
    Condition,
    Draw,
    condition_named,
    perturbed,
)
from mnistrobust.evaluations import Evaluation
from mnistrobust.metrics import CONFIDENT
from mnistrobust.models import ANN
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.randomness import stream
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.replicates import Replicate
from mnistrobust.store import code
from mnistrobust.suite import evaluated_by, margins, no_history, spec_of, stand_in
from mnistrobust.words import Margin

NOISE_SHARE = 1 / 12


@dataclass(frozen=True, kw_only=True)
class Dosed(Recipe):
    """A recipe whose training set is made with one of `training_set`'s doses, `what`, changed."""

    document: Recipe
    what: str
    dose: float

    @classmethod
    def of(cls, document: Recipe, what: str, dose: float) -> "Dosed":
        """Return a recipe at a dose; by its name, it draws weights, order and noise as before."""
        plain = {**vars(document), "transform": None, "noise_class": False}
        return cls(**plain, document=document, what=what, dose=dose)

    @property
    def classes(self) -> int:
        """The number of classes: 10, or 11 with the noise class."""
        return self.document.classes

    def to_json(self) -> dict[str, Any]:
        """Return what the key in the store depends on, the code of the training set included."""
        made = code.digest(f"{__name__}:training_set")
        return {**self.document.to_json(), self.what: self.dose, "training_set": made}

    def training_data(self, dataset: data.Dataset, seed: int) -> data.Dataset:
        """Return the data set with the training set at the dose in place of its own."""
        doses: dict[str, Any] = {self.what: self.dose}
        images, labels = training_set(self.document, dataset, seed, **doses)
        changed = copy.copy(dataset)
        vars(changed).update(train_images=images, train_labels=labels)  # they are cached properties
        return changed


def training_set(
    recipe: Recipe,
    dataset: data.Dataset,
    seed: int,
    *,
    offset: float = 1.0,
    ink: float = transforms.THRESHOLD,
    noise: float = NOISE_SHARE,
) -> Draw:
    """Return what a recipe of the document trains on, at doses; the draws are the document's.

    `offset` is the largest offset, `ink` the threshold, `noise` the noise images for each digit.
    """
    images = dataset.train_images[: recipe.rows]
    labels = dataset.train_labels[: recipe.rows]
    if recipe.transform == "offset_noise":
        offsets = stream(seed, "train-offset").random(transforms.PIXELS)
        images = images + (offset * offsets).astype(images.dtype)
    elif recipe.transform == "threshold":
        images = transforms.threshold(images, ink)
    elif recipe.transform:
        images = getattr(transforms, recipe.transform)(images)
    if recipe.noise_class:
        rng = stream(
            seed,
            recipe.name,
            "noise-class",
        )
        count = round(noise * len(dataset.train_labels))
        images, labels = transforms.with_noise_class(
            images,
            labels,
            count,
            rng,
        )
    return images, labels


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What has a dose: three functions of what the document has and a dose say what a dose changes."""

    name: str
    phrase: str  # with the dose's place in it
    document: float  # the dose of the document
    doses: tuple[float, ...]
    logarithmic: bool = False
    digits: int = 2  # significant, of a dose for people
    recipe: Callable[[Recipe, float], Recipe] = lambda recipe, _: recipe
    condition: Callable[[Condition, float], Condition] = lambda condition, _: condition
    evaluation: Callable[[Evaluation, float], Evaluation] = lambda evaluation, _: evaluation

    def written(self, dose: float) -> str:
        """Return a dose as text for people."""
        return f"{float(f'{dose:.{self.digits}g}'):,g}"

    def at(self, dose: float, replicate: Replicate) -> Replicate:
        """Return a replicate at a dose; at the document's, it stays as it is."""
        return replicate if dose == self.document else DosedReplicate(replicate, self, dose)

    def doses_for(self, claim: str) -> tuple[float, ...]:
        """Return the doses for a claim: none where its spec's margins do not depend on the axis.

        Where an RNN or a CNN is trained on all rows at each dose, every second one.
        """
        spec, other = spec_of(claim), self.doses[0]
        evaluated = {RECIPES[name]: on for name, on in evaluated_by(spec).items()}
        trained = [recipe for recipe in evaluated if self.recipe(recipe, other) != recipe]
        names = {name for conditions in evaluated.values() for name in conditions}
        shown = any(self.condition(condition_named(name), other).name != name for name in names)

        def stand_ins(changed: str = "") -> tuple[Margin, ...]:
            def evaluate(recipe: str, *, on: str) -> Evaluation:
                return self.evaluation(stand_in(recipe, on=on), 0.0 if recipe == changed else 1.0)

            return margins(spec, evaluate, no_history)

        judged = any(stand_ins(recipe.name) != stand_ins() for recipe in evaluated)
        if not stand_ins() or not (trained or shown or judged):
            return ()
        slow = any(each.architecture != ANN and each.rows is None for each in trained)
        return self.doses[::2] if slow else self.doses


class DosedReplicate(Replicate):
    """A replicate at a dose of an axis; all else is the document's, to the draws of noise."""

    def __init__(self, replicate: Replicate, axis: Axis, dose: float) -> None:
        """Put a replicate at a dose."""
        recipes = {name: axis.recipe(each, dose) for name, each in replicate.recipes.items()}
        super().__init__(replicate.seed, replicate.source, replicate.store, recipes=recipes)
        self._axis, self._dose = axis, dose

    def condition(self, name: str) -> Condition:
        """Return the condition at the dose."""
        return self._axis.condition(super().condition(name), self._dose)

    def training_data(self, recipe: Recipe) -> data.Dataset:
        """Return the data set with the recipe's training set at the dose."""
        dataset = super().training_data(recipe)
        return recipe.training_data(dataset, self.seed) if isinstance(recipe, Dosed) else dataset

    def evaluate(self, recipe: str, *, on: str) -> Evaluation:
        """Return the evaluation at the dose."""
        return self._axis.evaluation(super().evaluate(recipe, on=on), self._dose)


def offset_noise(dose: float) -> Condition:
    """Return the document's offset noise with offsets up to a dose, in as many draws."""
    noise, name = PERTURBATIONS["offset-noise"], f"offset-noise:{dose}"
    draws = partial(perturbed, noise, dose, shared_draws=OFFSET_DRAWS)
    return replace(condition_named(name), name=f"{name} in {OFFSET_DRAWS} draws", draws=draws)


def threshold(dose: float) -> Condition:
    """Return the document's thresholded images with another threshold."""
    draws = partial(thresholded, dose)
    return replace(CONDITIONS["threshold"], name=f"threshold at {dose}", draws=draws)


def thresholded(ink: float, dataset: data.Dataset, _: np.random.Generator) -> Iterator[Draw]:
    """Yield the held-out images thresholded at `ink`."""
    yield transforms.threshold(dataset.test_images, ink), dataset.test_labels


def barred(evaluation: Evaluation, bar: float) -> Evaluation:
    """Put confidences above another bar above the document's, exactly, and all others below it."""
    return replace(evaluation, confidence=(evaluation.confidence > bar).astype(np.float32))


_ALL = (
    Axis(
        name="offset at test",
        phrase="test offsets of {}",
        document=1,
        doses=(0, 0.1, 0.2, 0.3, 0.5, 0.7, 1),
        condition=lambda each, dose: offset_noise(dose) if each.name == "offset-noise" else each,
    ),
    Axis(
        name="bar of confidence",
        phrase="a bar of {}",
        document=CONFIDENT,
        doses=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999),
        digits=3,
        evaluation=barred,
    ),
    Axis(
        name="threshold",
        phrase="a threshold of {}",
        document=transforms.THRESHOLD,
        doses=(0.1, 0.3, 0.5, 0.7, 0.9, 0.98),
        recipe=lambda each, dose: (
            Dosed.of(each, "ink", dose) if each.transform == "threshold" else each
        ),
        condition=lambda each, dose: threshold(dose) if each.name == "threshold" else each,
    ),
    Axis(
        name="training rows",
        phrase="{} training rows",
        document=1000,
        doses=(100, 300, 1000, 3000, 10_000),
        logarithmic=True,
        recipe=lambda each, dose: replace(each, rows=int(dose)) if each.rows else each,
    ),
    Axis(
        name="offset in training",
        phrase="training offsets of {}",
        document=1,
        doses=(0, 0.25, 0.5, 0.75, 1),
        recipe=lambda each, dose: (
            Dosed.of(each, "offset", dose) if each.transform == "offset_noise" else each
        ),
    ),
    Axis(
        name="noise images in training",
        phrase="{} noise images per digit",
        document=NOISE_SHARE,
        doses=(0.001, 0.01, 0.03, NOISE_SHARE, 0.25),
        logarithmic=True,
        recipe=lambda each, dose: Dosed.of(each, "noise", dose) if each.noise_class else each,
    ),
)
AXES = MappingProxyType({axis.name: axis for axis in _ALL})
