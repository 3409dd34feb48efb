"""A world: all recipes trained from one seed, and what they do on every view."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnistrobust import data, engine, keys
from mnistrobust.models import architecture_named
from mnistrobust.progress import Board
from mnistrobust.randomness import stream
from mnistrobust.readings import Reading, read
from mnistrobust.recipes import Recipe, recipe_named
from mnistrobust.store import Entry, Key, Store
from mnistrobust.views import view_named

if TYPE_CHECKING:
    from mnistrobust.training import Trained


@dataclass(frozen=True)
class Task:
    """A recipe to train, and the views to read it on."""

    recipe: str
    views: tuple[str, ...] = ()


class World:
    """All recipes trained from one seed on one data set; made when asked for, then kept."""

    def __init__(
        self, seed: int, source: data.Source, store: Store, board: Board | None = None
    ) -> None:
        """Name a world; nothing is trained or read from disk yet."""
        self.seed = seed
        self.source = source
        self.store = store
        self.board = board
        self._models: dict[str, Any] = {}
        self._readings: dict[tuple[str, str], Reading] = {}

    def model(self, recipe: str) -> Any:
        """Return the trained Keras model of a recipe; UsageError for an unknown name."""
        if recipe not in self._models:
            self._models[recipe] = self._built(recipe, self.trained(recipe))
        return self._models[recipe]

    def read(self, recipe: str, *, on: str) -> Reading:
        """Return what a recipe's model does on a view; UsageError for an unknown name."""
        recipe_named(recipe), view_named(on)  # fail before training for a wrong name
        if (recipe, on) not in self._readings:
            reading = self.stored_reading(recipe, on=on)
            if reading is None:
                self.trained(recipe)
                reading = self.stored_reading(recipe, on=on) or self._read(recipe, on)
            self._readings[recipe, on] = reading
        return self._readings[recipe, on]

    def trained(self, recipe: str) -> "Trained":
        """Return weights and learning curve of a recipe, trained once for all processes."""
        found = self.stored(recipe)
        if found is None:
            with self.store.lock(self.model_key(recipe)):
                found = self.stored(recipe) or self._train(recipe)
        return found

    def history(self, recipe: str) -> dict[str, list[float]]:
        """Return the learning curve of a recipe; without TensorFlow where it is stored."""
        return self.trained(recipe).history

    def stored(self, recipe: str) -> "Trained | None":
        """Return weights and learning curve where the store has them; nothing is trained."""
        entry = self.store.get(self.model_key(recipe))
        if entry is None:
            return None
        from mnistrobust.training import Trained

        weights = [entry.tensors[name] for name in sorted(entry.tensors)]
        return Trained(weights, entry.meta["history"])

    def stored_reading(self, recipe: str, *, on: str) -> Reading | None:
        """Return what a recipe's model does on a view where the store has it."""
        key = self.reading_key(recipe, on)
        entry = self.store.get(key) if key else None
        return Reading.from_entry(entry) if entry else None

    def complete(self, task: Task) -> bool:
        """Return whether the store has the task's model and readings."""
        if not self.store.has(self.model_key(task.recipe)):
            return False
        return all(self._has_reading(task.recipe, view) for view in task.views)

    def fulfil(self, task: Task) -> None:
        """Train and read what is missing of a task; call it with the model's lock held."""
        trained = self.stored(task.recipe) or self._train(task.recipe)
        missing = [view for view in task.views if not self._has_reading(task.recipe, view)]
        if missing and task.recipe not in self._models:
            # not by `model`, which waits for the lock where the entry is gone meanwhile
            self._models[task.recipe] = self._built(task.recipe, trained)
        for view in missing:
            self._readings[task.recipe, view] = self._read(task.recipe, view)
        if self.board:
            self.board.finish(self.label(task.recipe))

    def label(self, recipe: str) -> str:
        """Return the recipe's name for progress, with the seed where it is not the suite's."""
        return f"{recipe} (seed {self.seed})" if self.seed else recipe

    def model_key(self, recipe: str) -> Key:
        """Return the store's key of a recipe's weights."""
        return keys.model_key(recipe_named(recipe), self.seed, self.source.digest)

    def reading_key(self, recipe: str, view: str) -> Key | None:
        """Return the store's key of a reading; None while the recipe is not trained."""
        model_key = self.model_key(recipe)
        weights = self.store.digest(model_key)
        if weights is None:
            return None
        facts = {
            "model": model_key.digest,
            "weights": weights,
            "view": view,
            "seed": self.seed,
            "code": keys.reading_code(view),
            "reader": keys.reader_code(),
        }
        return Key("readings", f"{recipe}-{view}-{self.source.name}-seed{self.seed}", facts)

    def _train(self, recipe: str) -> "Trained":
        from mnistrobust import training

        wanted = recipe_named(recipe)

        def progress(epoch: int) -> None:
            if self.board:
                self.board.report(self.label(recipe), epoch, wanted.epochs)

        progress(0)
        trained = training.train(wanted, data.load(self.source), self.seed, progress)
        tensors = {f"weight{i:02}": weight for i, weight in enumerate(trained.weights)}
        self.store.put(self.model_key(recipe), Entry(tensors, {"history": trained.history}))
        return trained

    def _built(self, recipe: str, trained: "Trained") -> Any:
        from mnistrobust import training

        return training.rebuilt(recipe_named(recipe), self.seed, trained.weights)

    def _has_reading(self, recipe: str, view: str) -> bool:
        key = self.reading_key(recipe, view)
        return key is not None and self.store.has(key)

    def _read(self, recipe: str, on: str) -> Reading:
        from mnistrobust import training

        dataset = data.load(self.source)
        model = self.model(recipe)
        reading = read(
            training.reader(model),
            view_named(on).draws(dataset, stream(self.seed, "view", on)),
            recipe=recipe,
            view=on,
            seed=self.seed,
            dataset=dataset.name,
            classes=recipe_named(recipe).classes,
            input_shape=tuple(model.input_shape[1:]),
        )
        key = self.reading_key(recipe, on)
        if key is not None:
            self.store.put(key, reading.to_entry())
        return reading


def work(world: World, tasks: Sequence[Task]) -> None:
    """Fulfil, longest first, every task that no other process is at; then return.

    Any number of processes that call this together leave no core idle while something is left
    to train, and train nothing twice.
    """
    left = [task for task in tasks if not world.complete(task)]
    if not left:
        return  # a warm run does not open the data set
    rows = len(data.load(world.source).train_labels)
    costs = {task.recipe: cost(recipe_named(task.recipe), rows) for task in left}
    if world.board:
        world.board.plan({world.label(recipe): each for recipe, each in costs.items()})
    ordered = sorted(left, key=lambda task: (-costs[task.recipe], task.recipe))
    for task in ordered:
        _compile(world, task.recipe, wait=False)
    for task in ordered:
        if world.complete(task):
            continue
        _compile(world, task.recipe, wait=True)
        with world.store.lock(world.model_key(task.recipe), wait=False) as held:
            if held:
                world.fulfil(task)


def _compile(world: World, recipe: str, *, wait: bool) -> None:
    """Compile a recipe's engine, once for all processes, unless another process is at it."""
    wanted = recipe_named(recipe)
    module = architecture_named(wanted.architecture).engine
    if engine.is_compiled(module):
        return
    with world.store.lock(Key("engines", module, {}), wait=wait) as held:
        if held and not engine.is_compiled(module):
            from mnistrobust import training

            training.compile_engine(wanted)


def cost(recipe: Recipe, train_rows: int) -> float:
    """Return roughly how many seconds a recipe trains on one core."""
    thousands = recipe.size(train_rows) * recipe.epochs / 1000
    return architecture_named(recipe.architecture).cost * thousands
