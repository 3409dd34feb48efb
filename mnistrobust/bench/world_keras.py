"""The same world in plain Keras: the 13 trainings one after the other, with `fit`."""

from typing import Any

from mnistrobust.bench.contestants import Note, Run
from mnistrobust.bench.plain_keras import default_threads
from mnistrobust.bench.world_ours import needed
from mnistrobust.data import Dataset, Source, load
from mnistrobust.models import architecture_named
from mnistrobust.randomness import stream
from mnistrobust.recipes import Recipe, recipe_named, training_set
from mnistrobust.views import view_named


def prepare(job: dict[str, Any], note: Note) -> Run:
    """Return the making of a world; each view is read on its first draw only, as one call."""
    default_threads()
    source, tasks = Source(**job["source"]), needed()
    dataset = load(source)

    def run(worlds: int) -> None:
        for _ in range(worlds):
            for number, task in enumerate(tasks, 1):
                note(f"plain Keras: {task.recipe}, {number} of {len(tasks)}")
                model = _trained(recipe_named(task.recipe), dataset)
                for view in task.views:
                    _read(model, view, dataset)

    return run


def _trained(recipe: Recipe, dataset: Dataset) -> Any:
    images, labels = training_set(recipe, dataset, 0)
    model = architecture_named(recipe.architecture).builder(recipe.classes)
    shape = (-1, *model.input_shape[1:])
    held_out = (dataset.test_images.reshape(shape), dataset.test_labels)
    model.fit(
        images.reshape(shape),
        labels,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_data=held_out,
        verbose=0,
    )
    return model


def _read(model: Any, view: str, dataset: Dataset) -> None:
    images, labels = next(view_named(view).draws(dataset, stream(0, "view", view)))
    images = images.reshape(-1, *model.input_shape[1:])
    if labels.max() < model.output_shape[1]:
        model.evaluate(images, labels, verbose=0)
    else:
        model.predict(images, verbose=0)
