"""A good small model for the specs of the checks, and many ways to break it."""

from functools import cache

import numpy as np

WIDTH = 1200
SHARPNESS = 9.0


@cache
def trained(dataset):
    """A function from images (n, 784) to logits (n, 10): random features and a ridge regression.

    In closed form, so that it takes a second, and gives the same logits in every run.
    """
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(784, WIDTH)).astype(np.float32) / 10
    biases = rng.normal(size=WIDTH).astype(np.float32) / 2

    def features(images):
        return np.maximum(images @ weights + biases, 0)

    known = features(dataset.train_images)
    wanted = np.eye(10, dtype=np.float32)[dataset.train_labels] - 0.1
    gram = known.T @ known + 30 * np.eye(WIDTH, dtype=np.float32)
    readout = np.linalg.solve(gram, known.T @ wanted)

    def predict(images):
        return SHARPNESS * (features(images) @ readout)

    return predict


def dense(replicate, recipe="ann_1000"):
    """The trained network of a replicate in NumPy: probabilities (n, 10) of images (n, 784)."""
    weights = replicate.trained(recipe).weights

    def predict(hidden):
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            hidden = np.maximum(hidden @ kernel + bias, 0)
        return softmax(hidden @ weights[-2] + weights[-1])

    return predict


def softmax(logits):
    """Probabilities of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def swapped_labels(good):
    return lambda images: good(images)[:, [0, 1, 2, 8, 4, 5, 6, 7, 3, 9]]


def shifted_labels(good):
    return lambda images: np.roll(good(images), 1, axis=1)


def softmax_twice(good):
    return lambda images: softmax(softmax(good(images)))


def half_probabilities(good):
    return lambda images: softmax(good(images)) / 2


def per_mille(good):
    return lambda images: 1000 * softmax(good(images))


def position_dependent(good):
    return lambda images: good(images) + np.eye(10)[np.arange(len(images)) % 3]


def last_prediction_of_that_size(good):
    known = {}
    return lambda images: known.setdefault(len(images), good(images))


def batch_dependent(good):
    return lambda images: good(images - images.mean(axis=0))


def nan_for_blank_images(good):
    def predict(images):
        brightest = images.max(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return good(images / brightest * brightest)

    return predict


def unscaled_input(good):
    return lambda images: good(images * 255)


def scaled_twice(good):
    return lambda images: good(images / 255)


def constant_prediction(good):
    return lambda images: np.tile(good(images[:1] * 0), (len(images), 1))


def overconfident(good):
    return lambda images: 10 * good(images)


def transposed_input(good):
    return lambda images: good(images.reshape(-1, 28, 28).swapaxes(1, 2).reshape(-1, 784))


def inverted_input(good):
    return lambda images: good(1 - images)


def not_deterministic(good):
    rng = np.random.default_rng(5)
    return lambda images: good(images * (rng.random(images.shape) > 0.05))


# how it is broken, and checks that fail although those of the good model do not
BREAKS = {
    swapped_labels: ("clean_accuracy", "every_digit"),
    shifted_labels: ("clean_accuracy", "every_digit"),
    half_probabilities: ("probabilities_sum_to_one",),
    per_mille: ("nll", "brier"),
    position_dependent: ("batch_invariance", "order_invariance"),
    last_prediction_of_that_size: ("batch_invariance", "order_invariance", "clean_accuracy"),
    transposed_input: ("clean_accuracy", "every_digit"),
    softmax_twice: ("nll", "brier"),
    batch_dependent: ("batch_invariance", "order_invariance"),
    nan_for_blank_images: ("finite_output", "less_confident_on_blank"),
    unscaled_input: ("nll", "brier"),
    scaled_twice: ("nll", "brier"),
    constant_prediction: ("clean_accuracy", "every_digit", "less_confident_on_uniform"),
    overconfident: ("nll",),
    inverted_input: ("clean_accuracy", "every_digit"),
    not_deterministic: ("repeatability", "batch_invariance", "order_invariance"),
}
