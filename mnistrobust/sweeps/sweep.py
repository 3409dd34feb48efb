"""Sweep models: open or train them, and evaluate each at every dose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mnistrobust.checks.bounds import REFERENCE
from mnistrobust.checks.model import Model
from mnistrobust.checks.opening import check_given, check_name, open_model
from mnistrobust.checks.outputs import ModelError
from mnistrobust.checks.session import Predictions
from mnistrobust.comparison import baselines
from mnistrobust.comparison.sides import WORST_LOSS
from mnistrobust.conditions import Draw, condition_named
from mnistrobust.data import Dataset, Source, load
from mnistrobust.errors import UsageError
from mnistrobust.evaluations import Evaluation, evaluate
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate, cluster
from mnistrobust.replicates.keys import versions
from mnistrobust.report import console
from mnistrobust.store import Store
from mnistrobust.sweeps.curves import Curve, Ladder, by_severity, known_errors, relative_error


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """Models swept on a data set: curves by model, then by ladder; no seeds for a given model."""

    source: Source
    ladders: tuple[Ladder, ...]
    curves: Mapping[str, Mapping[str, Curve]]
    seeds: Mapping[str, tuple[int, ...]]

    @property
    def in_reference(self) -> list[str]:
        """The perturbations over which the relative error is a mean."""
        name = self.source.name
        return [ladder.name for ladder in self.ladders if known_errors(ladder, name)]

    def to_json(self) -> dict[str, Any]:
        """Return the sweep as JSON values."""
        models = {
            name: {
                "seeds": list(self.seeds[name]),
                "curves": {each: curve.to_json() for each, curve in curves.items()},
                "accuracy_by_severity": by_severity(curves.values()),
                "relative_error": relative_error(curves.values(), self.source.name),
            }
            for name, curves in self.curves.items()
        }
        return {
            "schema": 1,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "dataset": self.source.to_json(),
            "reference": REFERENCE,
            "in_reference": self.in_reference,
            "units": {ladder.name: ladder.perturbation.unit for ladder in self.ladders},
            "models": models,
        }


def sweep(
    given: Mapping[str, Any],
    ladders: Sequence[Ladder],
    source: Source,
    store: Store,
    *,
    seed: int = 0,
    networks: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    **how: Any,
) -> Sweep:
    """Evaluate models, by name, at every dose: as `open_model` takes them, with `how`, and recipes.

    The noise is that of `seed`, and so is a recipe's network; with `networks`, a recipe has the
    seeds 1, 2, … instead, each with its own noise. Workers of a Dask `scheduler` train them. An image
    for which a model gives NaN or infinity counts as wrong. Raises UsageError, in one line, for what
    is no model, before any is opened, and for one that fails.
    """
    dataset, recipes = load(source), [name for name in given if name in RECIPES]
    if networks and not recipes:
        raise UsageError(f"--seeds {networks}: expected a recipe; other models are not trained.")
    for name in (each for each in given.values() if isinstance(each, str) and each not in RECIPES):
        baselines.check_predicts(name, store, "a sweep")
        check_name(name, "recipe", RECIPES)
        check_given(name)
    evaluated: dict[str, list[dict[str, Evaluation]]] = {name: [] for name in given}
    with console.progress() as tell:
        models = {}
        for name in (name for name in given if name not in recipes):
            tell(f"{name}: opening", 0.0)
            models[name], evaluated[name] = _opened(given[name], name, dataset, how), [{}]
        for number, ladder in enumerate(ladders if models else ()):
            tell(f"predicting {ladder.name}", number / len(ladders))
            for on in ladder.conditions[number > 0 :]:  # clean digits are the same
                draws = list(condition_named(on).drawn(dataset, seed))  # once for all models
                for name, model in models.items():
                    evaluated[name][0][on] = _evaluated(model, on, draws, dataset, seed)
    conditions = dict.fromkeys(on for ladder in ladders for on in ladder.conditions)
    seeds = tuple(range(1, networks + 1)) if networks else (seed,)
    if scheduler and recipes:
        with console.progress() as tell:
            cluster.networks(recipes, seeds, source, store, scheduler, tell)
    for replicate in (Replicate(number, source, store) for number in seeds if recipes):
        tasks = [replicate.task(name, conditions) for name in recipes]
        console.prepare(replicate, tasks, workers)
        for name in recipes:
            evaluated[name].append({on: replicate.evaluate(name, on=on) for on in conditions})
    curves = {
        name: {ladder.name: _curve(ladder, every, dataset) for ladder in ladders}
        for name, every in evaluated.items()
    }
    of = {name: seeds if name in recipes else () for name in given}
    return Sweep(source=source, ladders=tuple(ladders), curves=curves, seeds=of)


def _opened(given: Any, name: str, dataset: Dataset, how: dict[str, Any]) -> Model:
    if isinstance(given, str) and ":" in given:  # a module's; the others are for a file beside it
        how = {"seconds": how.get("seconds")}
    return open_model(given, dataset, name=name, **how)


def _evaluated(
    model: Model, on: str, draws: Sequence[Draw], dataset: Dataset, seed: int
) -> Evaluation:
    def log_probabilities(images: np.ndarray) -> np.ndarray:
        assert model.predict is not None  # a model with predictions alone is not opened
        try:
            return Predictions(model.predict(images), model.outputs).log_probabilities
        except ModelError as error:
            raise ModelError(f"{error} ({on})") from error

    named: dict[str, Any] = {"recipe": model.name, "condition": on, "dataset": dataset.name}
    shape: dict[str, Any] = {"classes": model.classes, "input_shape": ()}
    with np.errstate(all="ignore"):  # NaN and infinity count as wrong
        return evaluate(log_probabilities, iter(draws), seed=seed, **named, **shape)


def _curve(ladder: Ladder, networks: Sequence[Mapping[str, Evaluation]], dataset: Dataset) -> Curve:
    scores = [[_scores(each[on], dataset) for on in ladder.conditions] for each in networks]
    parts = zip(*(zip(*network, strict=True) for network in scores), strict=True)
    right, confidence, nll, failed = map(np.array, parts)
    return Curve(ladder=ladder, right=right, confidence=confidence, nll=nll, failed=failed)


def _scores(evaluation: Evaluation, dataset: Dataset) -> tuple[np.ndarray, float, float, int]:
    """Return whether each image is predicted rightly, (n,), mean confidence and loss, and failures.

    Of clean digits, those that perturbations show count.
    """
    shown = dataset.subset if evaluation.condition == "clean" else slice(None)
    names = ("labels", "predictions", "confidence", "losses")
    labels, predictions, sure, losses = (getattr(evaluation, name)[:, shown] for name in names)
    finite = np.isfinite(sure)
    right = ((predictions == labels) & finite).mean(axis=0)
    confidence = float(np.where(finite, sure, 0).mean(dtype=np.float64))
    capped = np.where(finite, np.minimum(losses, WORST_LOSS), WORST_LOSS)
    return right, confidence, float(capped.mean(dtype=np.float64)), int((~finite).sum())
