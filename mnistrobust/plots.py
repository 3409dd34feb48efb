"""The document's pictures, legible: each function draws on Axes and returns them.

Without `ax`, each makes a figure of its own. Nothing is shown, and no setting of matplotlib is
changed. The two colours are told apart by colour-blind readers and in grey.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.errors import UsageError
from mnistrobust.readings import Reading
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

    `history` has a list with a value for each epoch under `accuracy` and `val_accuracy`; raises
    UsageError when one of them is missing.
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
    answers: np.ndarray, labels: np.ndarray | None = None, *, ax: "Axes | None" = None
) -> "Axes":
    """Draw how often each class is answered, beside how often it is the label.

    `answers` and `labels` are whole numbers from 0, of any shape; without labels the answers
    stand alone. A share is of all images.
    """
    ax = axes(ax)
    groups = [("label", labels, ORANGE), ("answer", answers, BLUE)]
    bars(ax, {name: (np.ravel(each), colour) for name, each, colour in groups if each is not None})
    ax.set(
        ylabel="share of images", title="Answers and labels" if labels is not None else "Answers"
    )
    return ax


def bars(
    ax: "Axes", groups: Mapping[str, tuple[np.ndarray, str]], total: int | None = None
) -> None:
    """Draw the shares of classes, bars of the groups side by side; values are answers and colour.

    Shares are of `total` images, or of each group's own number.
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
    bar: float = metrics.SURE,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how confident answers are, right ones against wrong ones where that is known.

    `confidence` holds probabilities of any shape, `right` truth values of the same shape. Each
    curve has the area of its own group, so that a few wrong answers are as visible as many right
    ones; the legend says how many, and which share of them lies above the bar.
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
            above = metrics.share(metrics.sure(group, bar))
            label = f"{name}: {group.size:,}, {above:.0%} above {bar:g}"
            ax.stairs(shares, _BINS, color=colour, fill=True, alpha=0.3)
            ax.stairs(shares, _BINS, color=colour, linestyle=style, linewidth=1.5, label=label)
    ax.axvline(bar, color=GREY, linestyle=":", linewidth=1.5)
    ax.set(
        xlim=(0, 1),
        xlabel="confidence (probability of the answer)",
        ylabel="share of the group",
        title="Confidence",
    )
    ax.grid(axis="y", alpha=0.3)
    _legend_above(ax, columns=1)
    return ax


def image(pixels: Any, *, title: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw one image of 784 values, (784,), (28, 28) or (28, 28, 1), white ink on black.

    Black is 0 and white 1, or the brightest pixel where that is brighter, as after offset noise.
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
    reading: Reading, history: Mapping[str, Sequence[float]], images: np.ndarray
) -> "Figure":
    """Draw a recipe on a view: its first images with answers, and the three plots.

    `images` are the first of the reading's first draw, (n, 784) with n from 1; ten are drawn.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.2), dpi=100, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 2))  # typed as one SubFigure, too
    top, bottom = parts
    figures = [f"seed {reading.seed}", reading.dataset, f"{reading.n:,} images"]
    if reading.has_truth:
        figures += [f"accuracy {reading.accuracy:.4f}", f"loss {reading.loss:.3f}"]
    top.suptitle(
        f"{reading.recipe} on {reading.view} ({', '.join(figures)})\n"
        f"first images: answer (confidence), and the label where it is another"
    )
    for place, ax in enumerate(np.ravel(top.subplots(1, STRIP))):
        if place < len(images):
            _answered(ax, reading, place, images[place])
        else:
            ax.set_axis_off()
    curve, counts, sure = np.ravel(bottom.subplots(1, 3))
    learning_curve(history, ax=curve).set_title("Learning curve, on clean digits")
    predictions(reading.answers, reading.labels if reading.has_truth else None, ax=counts)
    right = reading.answers == reading.labels if reading.has_truth else None
    confidence_histogram(reading.confidence, right, ax=sure)
    return figure


def axes(ax: "Axes | None") -> "Axes":
    """Return the given Axes, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(6, 4), layout="constrained")[1]


def _legend_above(ax: "Axes", columns: int) -> None:
    """Put the legend where nothing is drawn: in room made at the top."""
    ax.set_ylim(0, ax.get_ylim()[1] * (1.08 + 0.16 / columns))
    ax.legend(loc="upper left", fontsize="small", ncols=columns)


def _answered(ax: "Axes", reading: Reading, place: int, pixels: np.ndarray) -> None:
    answer, label = int(reading.answers[0, place]), int(reading.labels[0, place])
    wrong = reading.has_truth and answer != label
    image(pixels, ax=ax)
    ax.set_title(f"{answer} ({reading.confidence[0, place]:.2f})", fontsize="medium")
    if wrong:
        ax.text(0.5, -0.08, f"label {label}", transform=ax.transAxes, ha="center", va="top")
