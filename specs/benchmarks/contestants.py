"""Our engine, plain Keras and bare matrix products, and what all contestants train on."""

import timeit

import numpy as np

from mnistrobust.backend import import_keras
from mnistrobust.data import load
from mnistrobust.engine import engine_for
from mnistrobust.errors import MnistRobustError
from mnistrobust.models import architecture_named
from mnistrobust.randomness import stream
from mnistrobust.transforms import offset_noise

BATCH = 32
RATE = 0.2  # of every dropout layer

SIZE = 1024  # of the square matrices of `peak`
PRODUCTS = 20
PEAK_FLOP = 2 * SIZE**3 * PRODUCTS  # of what counts as an epoch


def training_images(job):
    """Return a job's images (n, 784), float32, repeated where there are fewer, and labels (n,)."""
    dataset = load(job["source"])
    rows = np.arange(job["images"]) % len(dataset.train_labels)
    images = dataset.train_images[rows]
    if job["noisy"]:
        images = offset_noise(images, stream("bench", "offset"))
    return images, dataset.train_labels[rows]


def ours(job):
    """Train by our engine, as `mnistrobust.training` does: one thread each process."""
    import_keras()
    images, labels = training_images(job)
    model = architecture_named(job["network"]).builder(10)
    engine = engine_for(model)
    if engine is None:
        raise MnistRobustError(f"no engine trains '{job['network']}' here; is numba installed?")
    images, weights = images.reshape(-1, *model.input_shape[1:]), model.get_weights()
    streams = {name: stream("bench", name) for name in ("order", "dropout")}

    def run(epochs):
        nonlocal weights
        weights = engine.fit(weights, images, labels, epochs=epochs, batch_size=BATCH, **streams)

    return run


def plain_keras(job):
    """Train as the document does, but without a progress bar, which costs time."""
    default_threads()
    images, labels = training_images(job)
    model = architecture_named(job["network"]).builder(10)
    images = images.reshape(-1, *model.input_shape[1:])

    def run(epochs):
        model.fit(images, labels, batch_size=BATCH, epochs=epochs, verbose=0)

    return run


def default_threads():
    """Start TensorFlow with its own threads, before `mnistrobust.backend` sets it to one."""
    import tensorflow as tf

    tf.constant(0)


def peak(_):
    """Multiply large float32 matrices by NumPy's BLAS or TensorFlow's, whichever is faster here.

    Either may use narrower vectors than the processor has.
    """
    import_keras()
    import tensorflow as tf

    rng = np.random.default_rng(0)
    left, right = (rng.random((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    out, tensors = np.empty_like(left), (tf.constant(left), tf.constant(right))
    products = lambda: np.matmul(left, right, out=out), lambda: tf.linalg.matmul(*tensors)
    for product in products:
        product()  # includes what is done only once
    fastest = min(products, key=lambda product: timeit.timeit(product, number=PRODUCTS))

    def run(epochs):
        for _ in range(epochs * PRODUCTS):
            fastest()

    return run
