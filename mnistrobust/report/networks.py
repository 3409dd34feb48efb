"""What the networks of one world do, from stored readings: tables, charts and mistakes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.errors import DataError
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.report import charts, pictures
from mnistrobust.views import VIEWS

if TYPE_CHECKING:
    from markupsafe import Markup

    from mnistrobust.readings import Reading
    from mnistrobust.training import Trained
    from mnistrobust.world import World

_ARCHITECTURES = {"ann": "ANN", "rnn": "RNN (LSTM)", "cnn": "CNN"}
_TRANSFORMS = {None: "clean", "offset_noise": "offset-noise", "threshold": "thresholded"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A network on one view: figures, charts with their titles, and its surest mistakes.

    `confusion` has for each label its shares of answers in per cent; none for pure noise.
    """

    view: str
    summary: str
    figures: str
    charts: dict[str, "Markup"]
    confusion: list[list[int]] = field(default_factory=list)
    mistakes: list[pictures.Picture] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A trained recipe: how it was trained, its learning curve, and what it does on each view.

    `missing` are the views that it was not read on.
    """

    name: str
    described: str
    curve: "Markup"
    epochs: int
    seen: tuple[Seen, ...]
    missing: tuple[str, ...]
    accuracies: tuple[float | None, ...]
    sure_of_noise: float | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """All networks of one world that the store has.

    `missing` are recipes that are not trained; `excuse` says why there are no images.
    """

    views: tuple[str, ...]
    networks: tuple[Network, ...]
    strips: tuple[pictures.Strip, ...]
    missing: tuple[str, ...]
    excuse: str | None


def gallery(world: "World") -> Gallery:
    """Return what the store has of a world; nothing is trained or read."""
    excuse, strips = None, []
    try:
        strips = pictures.strips(world.source, world.seed)
    except DataError as error:
        excuse = str(error)
    found, missing = [], []
    for recipe in RECIPES.values():
        trained = world.stored(recipe.name)
        if trained is None:
            missing.append(recipe.name)
        else:
            found.append(_network(world, recipe, trained, with_images=excuse is None))
    return Gallery(
        views=_truthful(),
        networks=tuple(found),
        strips=tuple(strips),
        missing=tuple(missing),
        excuse=excuse,
    )


def _network(world: "World", recipe: Recipe, trained: "Trained", *, with_images: bool) -> Network:
    readings = {name: world.stored_reading(recipe.name, on=name) for name in VIEWS}
    seen = []
    for name, reading in readings.items():
        if reading is not None:
            wrong = []
            if with_images:
                wrong = pictures.mistakes(world.source, reading, recipe.architecture, trained)
            seen.append(_seen(name, reading, wrong))
    noise = readings["pure-noise"]
    return Network(
        name=recipe.name,
        described=described(recipe),
        curve=charts.learning_curve(trained.history),
        epochs=recipe.epochs,
        seen=tuple(seen),
        missing=tuple(name for name, reading in readings.items() if reading is None),
        accuracies=tuple(
            reading.accuracy if reading else None for reading in map(readings.get, _truthful())
        ),
        sure_of_noise=noise.sure if noise else None,
    )


def described(recipe: Recipe) -> str:
    """Say in a phrase how a recipe trains."""
    rows = "all" if recipe.rows is None else f"{recipe.rows:,}"
    noise = " and a class of pure noise" if recipe.noise_class else ""
    kind = _ARCHITECTURES.get(recipe.architecture, recipe.architecture)
    digits = _TRANSFORMS.get(recipe.transform, recipe.transform)
    return f"{kind}, {rows} {digits} digits{noise}, {recipe.epochs} epochs"


def _seen(view: str, reading: "Reading", wrong: list[pictures.Picture]) -> Seen:
    answers, sure = reading.answers.ravel(), reading.confidence.ravel()
    told = [f"{reading.n:,} answers"]
    drawn: dict[str, Any] = {}
    confusion = []
    if reading.has_truth:
        right = answers == reading.labels.ravel()
        told += [f"accuracy {reading.accuracy:.4f}", f"loss {reading.loss:.3f}"]
        groups = {"label": reading.true_counts, "answer": reading.label_counts}
        drawn["Answers against labels"] = charts.class_shares(groups, reading.n)
        drawn["Confidence, right against wrong"] = charts.confidence(
            {"right": sure[right], "wrong": sure[~right]}
        )
        drawn["Reliability"] = charts.reliability(sure, right)
        confusion = _confusion(reading)
    else:
        drawn["Confidence"] = charts.confidence({"all": sure})
    if view == "pure-noise":
        surely = metrics.counts(answers[metrics.sure(sure)], reading.classes)
        groups = {"all": reading.label_counts, "sure": surely}
        drawn["Answers, all against those above 0.9"] = charts.class_shares(groups, reading.n)
    told += [f"mean confidence {reading.mean_confidence:.3f}", f"{reading.sure:.1%} above 0.9"]
    return Seen(
        view=view,
        summary=VIEWS[view].summary,
        figures=", ".join(told),
        charts=drawn,
        confusion=confusion,
        mistakes=wrong,
    )


def _confusion(reading: "Reading") -> list[list[int]]:
    """Return the answers to each label that occurs, in per cent; none where only one occurs."""
    matrix = metrics.confusion(reading.labels, reading.answers, reading.classes)
    if (matrix.sum(axis=1) > 0).sum() < 2:
        return []
    rows = matrix[:10]
    shares = np.rint(100 * rows / np.maximum(rows.sum(axis=1, keepdims=True), 1))
    return [[int(share) for share in row] for row in shares]


def _truthful() -> tuple[str, ...]:
    """Return the views whose images are digits."""
    return tuple(name for name in VIEWS if name != "pure-noise")
