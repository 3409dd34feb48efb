"""What the networks of one replicate do, from stored evaluations: tables, charts and mistakes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.conditions import CONDITIONS
from mnistrobust.errors import DataError
from mnistrobust.recipes import Recipe
from mnistrobust.report import charts, pictures

if TYPE_CHECKING:
    from mnistrobust.evaluations import Evaluation
    from mnistrobust.replicates import Replicate
    from mnistrobust.training import Trained

_ARCHITECTURES = {"ann": "ANN", "rnn": "RNN (LSTM)", "cnn": "CNN"}
_TRANSFORMS = {None: "clean", "offset_noise": "offset-noise", "threshold": "thresholded"}
_DIGITS = tuple(name for name in CONDITIONS if name != "pure-noise")


def gallery(replicate: "Replicate") -> dict[str, Any]:
    """Return what a replicate's store has; `missing` is not trained, `excuse` is for no images."""
    excuse, strips = None, []
    try:
        strips = pictures.strips(replicate.source, replicate.seed)
    except DataError as error:
        excuse = str(error)
    networks, missing = [], []
    for recipe in replicate.recipes.values():
        if trained := replicate.stored(recipe.name):
            networks.append(_network(replicate, recipe, trained, excuse is None))
        else:
            missing.append(recipe.name)
    shown = {"conditions": _DIGITS, "networks": networks, "missing": missing}
    return {**shown, "strips": strips, "excuse": excuse}


def _network(
    replicate: "Replicate", recipe: Recipe, trained: "Trained", with_images: bool
) -> dict[str, Any]:
    stored = {name: replicate.stored_evaluation(recipe.name, on=name) for name in CONDITIONS}
    evaluations = {name: each for name, each in stored.items() if each is not None}
    noise = evaluations.get("pure-noise")
    return {
        "name": recipe.name,
        "described": _described(recipe),
        "curve": charts.learning_curve(trained.history),
        "seen": [_seen(replicate, each, with_images) for each in evaluations.values()],
        "missing": [name for name in CONDITIONS if name not in evaluations],
        "accuracies": [
            evaluation and evaluation.accuracy for evaluation in map(stored.get, _DIGITS)
        ],
        "confident_of_noise": noise.confident if noise else None,
    }


def _described(recipe: Recipe) -> str:
    rows = "all" if recipe.rows is None else f"{recipe.rows:,}"
    noise = " and a class of pure noise" if recipe.noise_class else ""
    kind = _ARCHITECTURES.get(recipe.architecture.name, recipe.architecture.name)
    digits = _TRANSFORMS.get(recipe.transform, recipe.transform)
    return f"{kind}, {rows} {digits} digits{noise}, {recipe.epochs} epochs"


def _seen(replicate: "Replicate", evaluation: "Evaluation", with_images: bool) -> dict[str, Any]:
    predictions, confident = evaluation.predictions.ravel(), evaluation.confidence.ravel()
    figures, drawn, confusion = [f"{evaluation.n:,} predictions"], {}, []
    if evaluation.has_truth:
        right = predictions == evaluation.labels.ravel()
        figures += [f"accuracy {evaluation.accuracy:.4f}", f"loss {evaluation.loss:.3f}"]
        groups = {"label": evaluation.true_counts, "prediction": evaluation.label_counts}
        drawn["Predictions against labels"] = charts.class_shares(groups, evaluation.n)
        sides = {"right": confident[right], "wrong": confident[~right]}
        drawn["Confidence, right against wrong"] = charts.confidence(sides)
        drawn["Reliability"] = charts.reliability(confident, right)
        confusion = _confusion(evaluation)
    else:
        drawn["Confidence"] = charts.confidence({"all": confident})
    if evaluation.condition == "pure-noise":
        above = metrics.counts(predictions[metrics.confident(confident)], evaluation.classes)
        groups = {"all": evaluation.label_counts, "confident": above}
        title = "Predictions, all against those above 0.9"
        drawn[title] = charts.class_shares(groups, evaluation.n)
    figures.append(f"mean confidence {evaluation.mean_confidence:.3f}")
    figures.append(f"{evaluation.confident:.1%} above 0.9")
    return {
        "condition": evaluation.condition,
        "summary": CONDITIONS[evaluation.condition].summary,
        "figures": ", ".join(figures),
        "charts": drawn,
        "confusion": confusion,
        "mistakes": pictures.mistakes(replicate.source, evaluation) if with_images else [],
    }


def _confusion(evaluation: "Evaluation") -> list[list[int]]:
    """Return the predictions to each label that occurs, in per cent; none where only one occurs."""
    matrix = metrics.confusion(evaluation.labels, evaluation.predictions, evaluation.classes)
    if (matrix.sum(axis=1) > 0).sum() < 2:
        return []
    rows = matrix[:10]
    shares = np.rint(100 * rows / np.maximum(rows.sum(axis=1, keepdims=True), 1))
    return list(shares.astype(int).tolist())
