"""Our engine, as `mnistrobust.training` uses it: one process for each core, one thread each."""

from typing import Any

from mnistrobust import engine
from mnistrobust.backend import import_keras
from mnistrobust.bench.contestants import BATCH, Note, Run, training_images
from mnistrobust.errors import MnistRobustError
from mnistrobust.models import architecture_named
from mnistrobust.randomness import stream
from mnistrobust.training import shaped


def prepare(job: dict[str, Any], _: Note) -> Run:
    """Return the training of a job's architecture; MnistRobustError where no engine has it."""
    import_keras()
    images, labels = training_images(job)
    model = architecture_named(job["architecture"]).builder(10)
    fast = engine.engine_for(model)
    if fast is None:
        raise MnistRobustError(
            f"No fast engine trains '{job['architecture']}' here: "
            f"bench compares engines; is numba installed?"
        )
    images, weights = shaped(model, images), model.get_weights()
    order, dropout = stream("bench", "order"), stream("bench", "dropout")

    def run(epochs: int) -> None:
        nonlocal weights
        weights = fast.fit(
            weights,
            images,
            labels,
            epochs=epochs,
            batch_size=BATCH,
            order=order,
            dropout=dropout,
        )

    return run
