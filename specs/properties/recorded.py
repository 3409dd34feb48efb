"""What networks are fed: the library's own training and evaluation, with a network that takes notes.

Only the network is a stand-in. Data, recipes, conditions and random streams are the real ones.
"""

import random
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np

from mnistrobust import conditions, models, recipes, training
from mnistrobust.randomness import stream
from mnistrobust.replicates import replicate
from mnistrobust.store import Store


class Keras:
    """Keras, as far as the builders use it: notes each layer and how the model is compiled."""

    def __init__(self):
        self.layers = self
        self.input_shape, self.weights = (None, 784), []

    def __getattr__(self, name):
        # a type of its own takes what a builder sets of a layer later
        return lambda *sizes, **options: type(name, (tuple,), {})((name, *sizes, *options.values()))

    def Sequential(self, layers):  # noqa: N802 - Keras's name
        self.built = layers
        self.initial = random.getrandbits(64)  # what Keras would seed its initial weights with
        return self

    def compile(self, **options):
        self.compiled, self.optimizer = options, SimpleNamespace()

    def get_weights(self):
        return self.weights


def patched(stack, keys, **replaced):
    """Note the keys of all streams, and replace parts of `training`, until the stack is closed."""

    def noting(*key):
        keys.append(key)
        return stream(*key)

    for module in (training, recipes, conditions):
        stack.enter_context(patch.object(module, "stream", noting))
    for name, part in replaced.items():
        stack.enter_context(patch.object(training, name, part))


def built(architecture, classes=10):
    """Return the layers of an architecture's model, and how it is compiled, with all that is set later."""
    keras = Keras()
    with patch("mnistrobust.models.import_keras", lambda: keras):
        models.architecture_named(architecture).builder(classes)
    layers = [(*layer, *vars(layer).values()) for layer in keras.built]
    return layers, {**keras.compiled, **vars(keras.optimizer)}


def trained(recipe, dataset, seed):
    """Train one epoch on a network that predicts `guesses`; return all that it was fed."""
    keys, keras = [], Keras()
    note = SimpleNamespace(keys=keys)

    def fit(weights, images, labels, *, order, dropout, on_epoch, **options):
        note.images, note.labels, note.options = images, labels, options
        note.order, note.dropout = order.random(8).tolist(), dropout.random(8).tolist()
        on_epoch(1, 0.5, 0.25, weights)
        return weights

    def logits(_, images):
        return 8.0 * np.eye(recipe.classes)[guesses(images)]

    engine = SimpleNamespace(engine_for=lambda _: SimpleNamespace(fit=fit, logits=logits))
    with ExitStack() as stack:
        patched(stack, keys, import_keras=lambda: keras, engine=engine)
        stack.enter_context(patch("mnistrobust.models.import_keras", lambda: keras))
        note.history = training.train(recipe, dataset, seed).history
    note.initial = keras.initial
    return note


def guesses(images):
    """Return a digit for each image that depends on all its pixels."""
    return np.round(255 * images.sum(axis=1, dtype=np.float64)).astype(np.int64) % 10


class EnoughError(Exception):
    """An evaluation has shown what a law asks for."""


def shown(condition, source, seed, recipe="ann", *, most=None):
    """Return the sets of images that an evaluation shows a network, their labels, stream keys.

    It ends after `most` sets, and without labels, where they are given.
    """
    note = SimpleNamespace(sets=[], labels=None, keys=[])

    def logits(images):
        note.sets.append(images)
        if len(note.sets) == most:
            raise EnoughError
        return np.zeros((len(images), 10))

    with ExitStack() as stack:
        patched(stack, note.keys)
        stack.enter_context(suppress(EnoughError))
        store = Store(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        current = replicate.Replicate(seed, source, store)
        current._models[recipe], current._readers[recipe] = Keras(), logits
        shown_under = current.task(recipe, [condition]).conditions
        # without the settings of Keras, which stands aside here: TensorFlow takes seconds to import
        evaluate = replicate.Replicate._evaluate.__wrapped__
        note.labels = evaluate(current, recipe, *shown_under).labels
    return note
