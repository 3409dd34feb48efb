"""The document's helper functions, under its names and with its order of arguments.

    from mnistrobust.document import *

Each takes a Keras model, or the `History` that `fit` returns; images as a NumPy array or a pandas
frame, (n, 784), (n, 28, 28) or (n, 28, 28, 1), floats with 1.0 as full ink, whatever shape the
model takes; and labels as an array, a series or a list. What is no such set of images raises
ImageError. Logits are turned into probabilities. An index is a position, as in `iloc`. Those that
draw take `ax` and show nothing. Where something is drawn at random, `rng` is a generator or a seed;
without it the draw is a fresh one. No global generator is touched.

In the examples, `model` is a trained model, `history` what its `fit` returned, `X_test` a frame
of ten held-out images, one of each digit, and `y_test` their labels.
"""

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from mnistrobust import metrics, plots, transforms
from mnistrobust.backend import import_keras
from mnistrobust.document import inputs
from mnistrobust.errors import DataError, ImageError, UsageError, cause
from mnistrobust.models import create_ann, create_cnn, create_rnn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = (
    "confidence",
    "confidence_distribution",
    "create_ann",
    "create_cnn",
    "create_rnn",
    "display",
    "load",
    "model_predictions",
    "model_stats",
    "noise_analysis",
    "show_mistake",
    "shuff_together",
    "threshold",
)

Rows = TypeVar("Rows", np.ndarray, pd.DataFrame)
Labels = TypeVar("Labels", np.ndarray, pd.Series)
Rng = np.random.Generator | int | None


class ModelNotFoundError(DataError, FileNotFoundError):
    """No file of that name holds a model."""


def confidence(model: Any, ip: Any, label: int | None = None) -> Any:
    """Return the predicted label of one image and its probability, or the probability of `label`.

    `ip` is one image: (784,), (28, 28), (28, 28, 1), a series, or a set of one. Raises UsageError
    for a label that the model has no class for.

    >>> confidence(model, X_test.iloc[3])
    (3, 0.91)
    >>> confidence(model, X_test.iloc[3], label=0)
    0.01
    """
    probabilities = inputs.probabilities(model, inputs.single(ip))[0]
    if label is None:
        predicted = int(probabilities.argmax())
        return predicted, float(probabilities[predicted])
    if not 0 <= label < len(probabilities):
        raise UsageError(
            f"Expected a label in 0…{len(probabilities) - 1}, received {label}; "
            f"the model has {len(probabilities)} classes."
        )
    return float(probabilities[label])


def confidence_distribution(
    model: Any, ip: Any, ind: int = 0, op: int | None = None, *, ax: "Axes | None" = None
) -> "Axes":
    """Draw the probability of each class for image `ind` of a set; return the Axes.

    `op` may be left out: another number than the model's classes raises UsageError.

    >>> ax = confidence_distribution(model, X_test, 3)
    >>> len(ax.patches)
    10
    """
    probabilities = inputs.probabilities(model, inputs.row(ip, ind))[0]
    if op not in (None, len(probabilities)):
        raise UsageError(
            f"Expected op={len(probabilities)}, the classes that the model has, received {op}; "
            f"leave it out."
        )
    ax = plots.axes(ax)
    ax.bar(range(len(probabilities)), probabilities, color=plots.BLUE)
    ax.set_xticks(range(len(probabilities)))
    ax.set(ylim=(0, 1), xlabel="class", ylabel="probability", title=f"Image {ind}")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    return ax


def show_mistake(
    model: Any,
    df: Any,
    i: int | None = None,
    y_test: Any = None,
    *,
    rng: Rng = None,
    ax: "Axes | None" = None,
) -> int:
    """Draw an image that the model predicts wrongly, or image `i`; return its index.

    `y_test` are the labels of the images, one each; the mistake is drawn at random. Raises
    UsageError without labels, and when no prediction is wrong.

    >>> show_mistake(model, X_test, y_test=[0, 1, 2, 3, 4, 5, 6, 7, 8, 0])
    9
    """
    predictions = inputs.probabilities(model, df).argmax(axis=1)
    if y_test is None:
        raise UsageError("Expected the labels of the images, received none; pass y_test=labels.")
    labels = inputs.labels(y_test, len(predictions))
    if i is None:
        wrong = np.flatnonzero(predictions != labels)
        if not wrong.size:
            raise UsageError(
                f"Expected a mistake to show, received {len(predictions)} right predictions; "
                f"pass other images, or i= for any of these."
            )
        i = int(np.random.default_rng(rng).choice(wrong))
    ax = display(df, labels, i, ax=ax)
    ax.set_title(f"True label: {labels[i]}, predicted: {predictions[i]}")
    return i


def display(df: Any, ydf: Any, index: int, *, ax: "Axes | None" = None) -> "Axes":
    """Draw one image of a set, with its label as the title unless `ydf` is None; return the Axes.

    >>> display(X_test, y_test, 8).get_title()
    'True label: 8'
    """
    pixels = inputs.row(df, index)
    title = None if ydf is None else f"True label: {inputs.labels(ydf, len(df))[index]}"
    return plots.image(pixels, title=title, ax=ax)


def threshold(df: Rows, t_val: float) -> Rows:
    """Return 1 where a pixel is at least `t_val`, else 0: a frame for a frame, else an array.

    >>> threshold(np.full((1, 784), 0.9), 0.9).min()
    np.float64(1.0)
    """
    return transforms.threshold(df, t_val)


def model_stats(model: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Draw accuracy against the epoch, with the last held-out accuracy as the title.

    `model` is a History, a model that was fitted, or a mapping of lists. Raises UsageError when it
    has no `accuracy` and `val_accuracy`.

    >>> model_stats(history).get_title()
    '97.50% accuracy'
    """
    history = getattr(model, "history", model)
    history = getattr(history, "history", history)
    if not isinstance(history, dict):
        raise UsageError(
            f"Expected a History or a fitted model, received {type(model).__name__} without one; "
            f"pass what fit returned."
        )
    ax = plots.learning_curve(history, ax=ax)
    ax.set_title(f"{100 * history['val_accuracy'][-1]:.2f}% accuracy")
    return ax


def load(m: str | Path) -> Any:
    """Return the Keras model in a file that `model.save` wrote.

    Raises ModelNotFoundError, which is a FileNotFoundError too, when there is no such file, and
    DataError when it holds no model that this version of Keras reads.

    >>> load("ann.keras")
    Traceback (most recent call last):
    mnistrobust.document.helpers.ModelNotFoundError: ann.keras not found: save one with model.save(...).
    """
    if not os.path.exists(m):  # noqa: PTH110 - Path.exists raises where a folder is closed to us
        raise ModelNotFoundError(f"{m} not found: save one with model.save(...).")
    try:
        return import_keras().models.load_model(m)
    except TypeError as error:  # Keras's own line is about deserialisation
        raise DataError(
            f"Cannot read {m}: Keras does not know a layer of it; import the module that registers "
            f"it with keras.saving.register_keras_serializable."
        ) from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = cause(error).strip().splitlines()[0]
        raise DataError(
            f"Cannot read {m} ({reason}): expected a .keras file; save it again with "
            f"model.save('name.keras')."
        ) from error


def noise_analysis(
    model: Any,
    conf_th: float = 0.75,
    noise_n: int = 100,
    *,
    rng: Rng = None,
    ax: "Axes | None" = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what a model predicts for pure noise; return the predictions and their confidences, (noise_n,).

    The noise is uniform in [0, 1), each pixel on its own. The plot has all predictions, and those with
    a probability above `conf_th`, as shares of all images.

    >>> predictions, confidences = noise_analysis(model, 0.9, noise_n=50, rng=0)
    >>> predictions.shape, confidences.shape
    ((50,), (50,))
    """
    noise = transforms.pure_noise(noise_n, np.random.default_rng(rng))
    probabilities = inputs.probabilities(model, noise)
    predictions, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    confident = metrics.confident(confidences, conf_th)
    ax = plots.axes(ax)
    bar = f"above {conf_th:.1%}"
    groups = {"all": (predictions, plots.ORANGE), bar: (predictions[confident], plots.BLUE)}
    plots.bars(ax, groups, total=noise_n)
    title = f"Pure noise: {confident.sum()}/{noise_n} with a confidence {bar}"
    ax.set(ylabel="share of images", title=title)
    return predictions, confidences


def shuff_together(df1: Rows, df2: Labels, *, rng: Rng = None) -> tuple[Rows, Labels]:
    """Return images and labels in one new random order, frames and series numbered anew from 0.

    Rows are matched by position. Raises ImageError when the lengths differ.

    >>> images, labels = shuff_together(X_test, y_test, rng=0)
    >>> bool((images.iloc[0] == X_test.iloc[labels[0]]).all())
    True
    """
    if len(df1) != len(df2):
        raise ImageError(
            f"Expected one label for each of {len(df1)} images, received {len(df2)}; "
            f"pass the labels of these images."
        )
    order = np.random.default_rng(rng).permutation(len(df1))
    return _ordered(df1, order), _ordered(df2, order)


def model_predictions(
    model: Any, df: Any, y_test: Any = None, *, ax: "Axes | None" = None
) -> np.ndarray:
    """Draw how often each class is predicted, beside given labels; return the predictions (n,).

    >>> model_predictions(model, X_test, y_test)
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    predictions: np.ndarray = inputs.probabilities(model, df).argmax(axis=1)
    labels = None if y_test is None else inputs.labels(y_test, len(predictions))
    plots.predictions(predictions, labels, ax=ax)
    return predictions


def _ordered(rows: Any, order: np.ndarray) -> Any:
    if isinstance(rows, pd.DataFrame | pd.Series):
        return rows.iloc[order].reset_index(drop=True)
    return np.asarray(rows)[order]
