"""Recipe and seed in, weights and learning curve out: the same bytes on the same machine."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust import engine, metrics
from mnistrobust.backend import import_keras
from mnistrobust.data import Dataset
from mnistrobust.randomness import stream
from mnistrobust.recipes import Recipe, training_set

Weights = list[np.ndarray]
Progress = Callable[[int], None]  # called with the number of finished epochs

PREDICT_BATCH = 500
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, eq=False)
class Trained:
    """The weights of a network, and its learning curve."""

    weights: Weights  # in the order of Keras's `get_weights`
    history: dict[str, list[float]]  # a value an epoch, in training with dropout, and held out


def build(recipe: Recipe, seed: int) -> Any:
    """Return the recipe's compiled Keras model, with the initial weights of the seed."""
    import_keras()
    with _seeded(stream(seed, recipe.name, "weights")):
        return recipe.architecture.builder(recipe.classes)


def train(recipe: Recipe, dataset: Dataset, seed: int, progress: Progress | None = None) -> Trained:
    """Train a recipe: on a fast engine if one fits the model, otherwise in Keras."""
    images, labels = training_set(recipe, dataset, seed)
    model = build(recipe, seed)
    history: dict[str, list[float]] = {name: [] for name in CURVES}
    validation = shaped(model, dataset.test_images)
    predict = predictor(model)

    def on_epoch(epoch: int, loss: float, accuracy: float, weights: Weights) -> None:
        log_probabilities = metrics.log_softmax(predict(weights, validation))
        truth = dataset.test_labels
        losses = -log_probabilities[np.arange(len(truth)), truth]
        predictions = log_probabilities.argmax(axis=1)
        row = (loss, accuracy, float(losses.mean()), metrics.accuracy(predictions, truth))
        for name, value in zip(CURVES, row, strict=True):
            history[name].append(value)
        if progress:
            progress(epoch)

    fast = engine.engine_for(model)
    fit = fast.fit if fast else _KerasFit(model)
    weights = fit(
        model.get_weights(),
        shaped(model, images),
        labels,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        order=stream(seed, recipe.name, "order"),
        dropout=stream(seed, recipe.name, "dropout"),
        on_epoch=on_epoch,
    )
    return Trained(weights, history)


def compile_engine(recipe: Recipe) -> None:
    """Compile the engine that trains a recipe, for this process and later ones."""
    engine.compile_engine(build(recipe, 0))


def predictor(model: Any) -> Callable[[Weights, np.ndarray], np.ndarray]:
    """Return a function that maps weights, and images in the model's input shape, to logits."""
    fast = engine.engine_for(model)
    if fast:
        return fast.logits

    def predict(weights: Weights, images: np.ndarray) -> np.ndarray:
        model.set_weights(weights)
        probabilities = model.predict(images, batch_size=PREDICT_BATCH, verbose=0)
        # These are the logits up to a constant, which no softmax depends on.
        logits: np.ndarray = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        return logits

    return predict


def rebuilt(recipe: Recipe, seed: int, weights: Weights) -> Any:
    """Return the recipe's Keras model with trained weights."""
    model = build(recipe, seed)
    model.set_weights(weights)
    return model


def reader(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that maps images (n, 784) to a trained model's logits (n, classes)."""
    weights, predict = model.get_weights(), predictor(model)
    return lambda images: predict(weights, shaped(model, images))


def shaped(model: Any, images: np.ndarray) -> np.ndarray:
    """Return images (n, 784) in the model's input shape."""
    return images.reshape(len(images), *model.input_shape[1:])


class _KerasFit:
    """Plain Keras training in our batch order, for models without a fast engine."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(
        self,
        weights: Weights,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        epochs: int,
        batch_size: int,
        order: np.random.Generator,
        dropout: np.random.Generator,
        on_epoch: Callable[[int, float, float, Weights], None],
    ) -> Weights:
        del dropout  # each Dropout layer drew its seed when the model was built
        self.model.set_weights(weights)
        for epoch in range(1, epochs + 1):
            shuffled = order.permutation(len(labels))
            curve = self.model.fit(
                images[shuffled], labels[shuffled], batch_size=batch_size, shuffle=False, verbose=0
            ).history
            weights = self.model.get_weights()
            on_epoch(epoch, curve["loss"][0], curve["accuracy"][0], weights)
        return weights


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """Seed Python's `random`, from which Keras draws its seeds, and restore its state afterwards."""
    state = random.getstate()
    random.seed(int(rng.integers(2**63)))
    try:
        yield
    finally:
        random.setstate(state)
