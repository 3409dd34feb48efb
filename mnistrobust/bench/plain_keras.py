"""Plain Keras as the document uses it: `model.fit`, one process, as many threads as it likes."""

from typing import Any

from mnistrobust.bench.contestants import BATCH, Note, Run, training_images
from mnistrobust.models import architecture_named


def prepare(job: dict[str, Any], _: Note) -> Run:
    """Return the training of a job's architecture; without a progress bar, which costs time."""
    default_threads()
    images, labels = training_images(job)
    model = architecture_named(job["architecture"]).builder(10)
    images = images.reshape(len(images), *model.input_shape[1:])

    def run(epochs: int) -> None:
        model.fit(images, labels, batch_size=BATCH, epochs=epochs, verbose=0)

    return run


def default_threads() -> None:
    """Import TensorFlow as it comes, before `mnistrobust.backend` sets it to one thread."""
    import tensorflow as tf

    tf.constant(0)
