"""A replicate: all recipes trained from one seed, and their evaluations under every condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnistrobust import data
from mnistrobust.backend import standard_settings
from mnistrobust.conditions import Condition, Draw, condition_named
from mnistrobust.errors import say
from mnistrobust.evaluations import Evaluation, Logits, evaluate
from mnistrobust.recipes import RECIPES, Recipe, recipe_named
from mnistrobust.replicates import keys
from mnistrobust.replicates.progress import Board
from mnistrobust.store import Entry, Key, Store

if TYPE_CHECKING:
    from mnistrobust.training import Trained


@dataclass(frozen=True)
class Task:
    """A recipe to train, and the conditions to evaluate it under."""

    recipe: Recipe
    conditions: tuple[Condition, ...] = ()


class Replicate:
    """All recipes trained from one seed on one data set; each is trained on demand, then kept.

    An unknown name raises UsageError. `recipes` are the document's, or with architectures of your own.
    """

    def __init__(
        self,
        seed: int,
        source: data.Source,
        store: Store,
        board: Board | None = None,
        recipes: Mapping[str, Recipe] = RECIPES,
    ) -> None:
        """Describe a replicate; nothing is trained or read from disk yet."""
        self.seed = seed
        self.source = source
        self.store = store
        self.board = board
        self.recipes = recipes
        self._models: dict[str, Any] = {}
        self._readers: dict[str, Logits] = {}
        self._evaluations: dict[tuple[str, str], Evaluation] = {}

    def condition(self, name: str) -> Condition:
        """Return the condition that a name stands for in this replicate."""
        return condition_named(name)

    def training_data(self, recipe: Recipe) -> data.Dataset:  # noqa: ARG002 - a dose depends on it
        """Return the data set that a recipe is trained on."""
        return data.load(self.source)

    def task(self, recipe: str, conditions: Iterable[str] = ()) -> Task:
        """Return the task of training a recipe and evaluating it under conditions."""
        return Task(recipe_named(recipe, self.recipes), tuple(map(self.condition, conditions)))

    def model(self, recipe: str) -> Any:
        """Return the trained Keras model of a recipe."""
        if recipe not in self._models:
            self._build(recipe, self.trained(recipe))
        return self._models[recipe]

    def evaluate(self, recipe: str, *, on: str) -> Evaluation:
        """Return the evaluation of a recipe's model under a condition."""
        condition = self.condition(on)
        place = recipe, condition.name
        if place not in self._evaluations:
            evaluation = self.stored_evaluation(recipe, on=condition)
            if evaluation is None:
                self.trained(recipe)
                stored = self.stored_evaluation(recipe, on=condition)
                evaluation = stored or self._evaluate(recipe, condition)
            self._evaluations[place] = evaluation
        return self._evaluations[place]

    def trained(self, recipe: str) -> "Trained":
        """Return a recipe's weights and learning curve; only one process trains it."""
        trained = self.stored(recipe)
        if trained is None:
            waiting = self.board.wait if self.board else say
            with self.store.lock(self.model_key(recipe), waiting=waiting):
                if self.board:
                    self.board.wait("")  # no longer
                trained = self.stored(recipe) or self._train(recipe)
        return trained

    def history(self, recipe: str) -> dict[str, list[float]]:
        """Return a recipe's learning curve; if it is stored, without TensorFlow."""
        return self.trained(recipe).history

    def stored(self, recipe: str) -> "Trained | None":
        """Return a recipe's stored weights and learning curve, or None; nothing is trained."""
        entry = self.store.get(self.model_key(recipe))
        if entry is None:
            return None
        from mnistrobust.training import Trained

        names = map(_weight, range(len(entry.tensors)))  # sorted, weight100 is before weight11
        return Trained([entry.tensors[name] for name in names], entry.meta["history"])

    def stored_evaluation(self, recipe: str, *, on: str | Condition) -> Evaluation | None:
        """Return the stored evaluation of a recipe under a condition, or None."""
        key = self.evaluation_key(recipe, on)
        entry = self.store.get(key) if key else None
        return Evaluation.from_entry(entry) if entry else None

    def model_key(self, recipe: str) -> Key:
        """Return the store's key of a recipe's weights."""
        return keys.model_key(recipe_named(recipe, self.recipes), self.seed, self.source.digest)

    def evaluation_key(self, recipe: str, condition: str | Condition) -> Key | None:
        """Return the store's key of an evaluation; None while the recipe is not trained."""
        model_key = self.model_key(recipe)
        weights = self.store.digest(model_key)
        if weights is None:
            return None
        presented = self.condition(condition) if isinstance(condition, str) else condition
        facts = {
            "model": model_key.digest,
            "weights": weights,
            "condition": presented.name,
            "seed": self.seed,
            "code": keys.evaluation_code(presented),
            "reader": keys.reader_code(),
        }
        label = presented.name.replace(":", "-")  # it becomes a file's name
        return Key("evaluations", f"{recipe}-{label}-{self.source.name}-seed{self.seed}", facts)

    def complete(self, task: Task) -> bool:
        """Return whether the store has the task's model and evaluations."""
        return self.store.has(self.model_key(task.recipe.name)) and not self._missing(task)

    def fulfil(self, task: Task) -> None:
        """Train and evaluate what a task still needs; the caller holds the model's lock."""
        name = task.recipe.name
        trained = self.stored(name) or self._train(name)
        missing = self._missing(task)
        if missing and name not in self._models:
            # not by `model`, which would wait for the lock if the entry is gone meanwhile
            self._build(name, trained)
        for condition in missing:
            self._evaluations[name, condition.name] = self._evaluate(name, condition)
        if self.board:
            self.board.finish(self.label(task.recipe))

    @standard_settings()
    def evaluate_together(self, tasks: Sequence[Task]) -> None:
        """Evaluate the trained networks of tasks under the one condition of all, which is drawn once."""
        names = [task.recipe.name for task in tasks if self._missing(task)]
        trained = [name for name in names if self.store.has(self.model_key(name))]
        if not trained:
            return
        condition = tasks[0].conditions[0]
        draws = list(condition.drawn(data.load(self.source), self.seed))
        for number, name in enumerate(trained):
            if self.board:
                self.board.report(self.label(condition), number, len(trained), "evaluating")
            self._evaluations[name, condition.name] = self._evaluate(name, condition, draws)
        if self.board:
            self.board.finish(self.label(condition))

    def label(self, work: Recipe | Condition) -> str:
        """Return the name of some work for progress, with the seed unless it is the suite's, 0."""
        name = work.name.replace(":", " ")  # it becomes a file's name
        return f"{name} (seed {self.seed})" if self.seed else name

    def _missing(self, task: Task) -> list[Condition]:
        keyed = [(each, self.evaluation_key(task.recipe.name, each)) for each in task.conditions]
        return [each for each, key in keyed if key is None or not self.store.has(key)]

    @standard_settings()
    def _train(self, name: str) -> "Trained":
        from mnistrobust import training

        recipe = self.recipes[name]

        def progress(epoch: int) -> None:
            if self.board:
                self.board.report(self.label(recipe), epoch, recipe.epochs)

        progress(0)
        trained = training.train(recipe, self.training_data(recipe), self.seed, progress)
        tensors = {_weight(i): weight for i, weight in enumerate(trained.weights)}
        self.store.put(self.model_key(name), Entry(tensors, {"history": trained.history}))
        return trained

    @standard_settings()
    def _build(self, name: str, trained: "Trained") -> None:
        from mnistrobust import training

        model = training.rebuilt(self.recipes[name], self.seed, trained.weights)
        self._models[name], self._readers[name] = model, training.reader(model)

    @standard_settings()
    def _evaluate(
        self, name: str, condition: Condition, draws: Iterable[Draw] | None = None
    ) -> Evaluation:
        dataset = data.load(self.source)
        model = self.model(name)
        evaluation = evaluate(
            self._readers[name],
            condition.drawn(dataset, self.seed) if draws is None else iter(draws),
            recipe=name,
            condition=condition.name,
            seed=self.seed,
            dataset=dataset.name,
            classes=self.recipes[name].classes,
            input_shape=tuple(model.input_shape[1:]),
        )
        key = self.evaluation_key(name, condition)
        if key is not None:
            self.store.put(key, evaluation.to_entry())
        return evaluation


def _weight(number: int) -> str:
    """Return the name of a network's weight array in the store, by its place in the network."""
    return f"weight{number:02}"
