"""The document's plots, made legible: each function draws on Axes and returns them.

Without `ax`, a function makes a new figure. No function shows a figure or changes a setting of
matplotlib. Colour-blind readers can tell the two colours apart, and so can readers of a grey print.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.errors import UsageError
from mnistrobust.evaluations import Evaluation
from mnistrobust.perturbations import Perturbation
from mnistrobust.transforms import NOISE_LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"  # of Okabe and Ito's palette
STRIP = 10  # images in an overview
_BINS = np.linspace(0, 1, 21)
_SIDE = 28


def learning_curve(history: Mapping[str, Sequence[float]], *, ax: "Axes | None" = None) -> "Axes":
    """Draw accuracy in training and on held-out images against the epoch.

    `history` maps `accuracy` and `val_accuracy` to a list with a value for each epoch. Raises
    UsageError if one of them is missing.
    """
    from matplotlib.ticker import MaxNLocator

    missing = [name for name in ("accuracy", "val_accuracy") if not history.get(name)]
    if missing:
        raise UsageError(
            f"Expected a history with accuracy and val_accuracy, received "
            f"{', '.join(history) or 'an empty one'}; fit with metrics=['accuracy'] and "
            f"validation_data."
        )
    ax = axes(ax)
    for name, label, colour, style in (
        ("accuracy", "training, with dropout", ORANGE, "o--"),
        ("val_accuracy", "held-out images", BLUE, "s-"),
    ):
        values = history[name]
        ax.plot(range(1, len(values) + 1), values, style, color=colour, label=label, markersize=4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="epoch", ylabel="accuracy (share of images)", title="Learning curve")
    ax.grid(axis="y", alpha=0.3)
    ax.legend(loc="best", fontsize="small")
    return ax


def predictions(
    predictions: np.ndarray, labels: np.ndarray | None = None, *, ax: "Axes | None" = None
) -> "Axes":
    """Draw how often each class is predicted, beside how often it is the label.

    `predictions` and `labels` are whole numbers from 0, of any shape. Without labels, only the
    predictions are drawn. Shares are shares of all images.
    """
    ax = axes(ax)
    groups = [("label", labels, ORANGE), ("prediction", predictions, BLUE)]
    bars(ax, {name: (np.ravel(each), colour) for name, each, colour in groups if each is not None})
    title = "Predictions" if labels is None else "Predictions and labels"
    ax.set(ylabel="share of images", title=title)
    return ax


def bars(
    ax: "Axes", groups: Mapping[str, tuple[np.ndarray, str]], total: int | None = None
) -> None:
    """Draw the share of each class in each group, with the groups' bars side by side.

    `groups` maps a name to predictions and a colour. Shares are of `total`, or of each group's images.
    """
    largest = max((int(values.max(initial=0)) for values, _ in groups.values()), default=0)
    classes = max(largest + 1, NOISE_LABEL)
    width = 0.8 / len(groups)
    for place, (name, (values, colour)) in enumerate(groups.items()):
        shares = np.array(metrics.counts(values, classes)) / max(total or values.size, 1)
        left = np.arange(classes) - 0.4 + place * width
        ax.bar(left, shares, width, align="edge", color=colour, label=name)
    names = [str(label) if label != NOISE_LABEL else "10\nnoise" for label in range(classes)]
    ax.set_xticks(range(classes), names)
    ax.set_xlabel("class")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    if len(groups) > 1:
        _legend_above(ax, columns=len(groups))


def confidence_histogram(
    confidence: np.ndarray,
    right: np.ndarray | None = None,
    *,
    bar: float = metrics.CONFIDENT,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a histogram of confidence, separately for right and wrong predictions if `right` is given.

    `confidence` holds probabilities of any shape, `right` booleans of the same shape. Each group is
    normalised on its own. The legend gives its size and its share above the bar.
    """
    ax = axes(ax)
    values = np.ravel(confidence)
    groups = [("all", values, BLUE, "-")]
    if right is not None:
        mask = np.ravel(right)
        groups = [("right", values[mask], BLUE, "-"), ("wrong", values[~mask], ORANGE, "--")]
    for name, group, colour, style in groups:
        if group.size:
            shares = np.histogram(group, _BINS)[0] / group.size
            above = metrics.share(metrics.confident(group, bar))
            label = f"{name}: {group.size:,}, {above:.0%} above {bar:g}"
            ax.stairs(shares, _BINS, color=colour, fill=True, alpha=0.3)
            ax.stairs(shares, _BINS, color=colour, linestyle=style, linewidth=1.5, label=label)
    ax.axvline(bar, color=GREY, linestyle=":", linewidth=1.5)
    ax.set(
        xlim=(0, 1),
        xlabel="confidence (probability of the prediction)",
        ylabel="share of the group",
        title="Confidence",
    )
    ax.grid(axis="y", alpha=0.3)
    _legend_above(ax, columns=1)
    return ax


def image(pixels: Any, *, title: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw one image of 784 values, (784,), (28, 28) or (28, 28, 1), as white ink on black.

    Black is 0. White is 1, or the brightest pixel if it is above 1, as under offset noise.
    Raises UsageError for another number of values.
    """
    values = np.asarray(pixels, np.float64)
    if values.size != _SIDE * _SIDE:
        raise UsageError(
            f"Expected one image of 784 values, received the shape {values.shape}; "
            f"pass a single row of a set."
        )
    ax = axes(ax)
    ax.imshow(values.reshape(_SIDE, _SIDE), cmap="gray", vmin=0, vmax=max(1.0, values.max()))
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def overview(
    evaluation: Evaluation, history: Mapping[str, Sequence[float]], images: np.ndarray
) -> "Figure":
    """Draw an evaluation: its first images with their predictions, and three plots.

    `images` are the first of the evaluation's first draw, (n, 784), n from 1; at most ten are drawn.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.2), dpi=100, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 2))  # typed as one SubFigure, too
    top, bottom = parts
    figures = [f"seed {evaluation.seed}", evaluation.dataset, f"{evaluation.n:,} images"]
    if evaluation.has_truth:
        figures += [f"accuracy {evaluation.accuracy:.4f}", f"loss {evaluation.loss:.3f}"]
    top.suptitle(
        f"{evaluation.recipe} on {evaluation.condition} ({', '.join(figures)})\n"
        f"first images: prediction (confidence), and the label where it is another"
    )
    for place, ax in enumerate(np.ravel(top.subplots(1, STRIP))):
        if place < len(images):
            _predicted(ax, evaluation, place, images[place])
        else:
            ax.set_axis_off()
    curve, counts, confident = np.ravel(bottom.subplots(1, 3))
    learning_curve(history, ax=curve).set_title("Learning curve, on clean digits")
    predictions(
        evaluation.predictions, evaluation.labels if evaluation.has_truth else None, ax=counts
    )
    right = evaluation.predictions == evaluation.labels if evaluation.has_truth else None
    confidence_histogram(evaluation.confidence, right, ax=confident)
    return figure


def axes(ax: "Axes | None") -> "Axes":
    """Return the given Axes, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(6, 4), layout="constrained")[1]


def perturbations(
    chosen: Sequence[Perturbation], digits: np.ndarray, rng: np.random.Generator
) -> "Figure":
    """Draw digits (n, 784) under each perturbation: unchanged, then at its five severities."""
    from matplotlib.figure import Figure

    figure = Figure((9, 0.47 * len(chosen)), dpi=150, facecolor="lightgrey", layout="constrained")
    grid = figure.subplots(len(chosen), squeeze=False)
    for ax, each in zip(grid.flat, chosen, strict=True):
        ladder = (0.0, *each.severities)
        ax.set_axis_off()
        ax.text(-8, _SIDE / 2, f"{each.name}\n{each.unit}", fontsize=6, ha="right", va="center")
        for place, dose in enumerate(ladder):
            strip = np.hstack(list(each(digits, dose, rng).reshape(-1, _SIDE, _SIDE)))
            left = place * (strip.shape[1] + 8)
            span = (left, left + strip.shape[1], _SIDE, 0)
            white = max(1.0, strip.max())
            ax.imshow(strip, "gray", vmin=0, vmax=white, extent=span, interpolation="nearest")
            ax.text(left, -2, f"{dose:.3g}", fontsize=6)
        ax.set_xlim(0, left + strip.shape[1])
    return figure


def _legend_above(ax: "Axes", columns: int) -> None:
    """Make room at the top, and put the legend there."""
    ax.set_ylim(0, ax.get_ylim()[1] * (1.08 + 0.16 / columns))
    ax.legend(loc="upper left", fontsize="small", ncols=columns)


def _predicted(ax: "Axes", evaluation: Evaluation, place: int, pixels: np.ndarray) -> None:
    predicted, label = int(evaluation.predictions[0, place]), int(evaluation.labels[0, place])
    image(pixels, ax=ax)
    ax.set_title(f"{predicted} ({evaluation.confidence[0, place]:.2f})", fontsize="medium")
    if evaluation.has_truth and predicted != label:
        ax.text(0.5, -0.08, f"label {label}", transform=ax.transAxes, ha="center", va="top")
