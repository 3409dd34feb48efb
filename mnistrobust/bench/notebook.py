"""The document's helper functions, as it computes them: a loop where it loops.

They are here to be timed. Pictures are drawn, but not rendered.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

SURE = 0.9
NOISE_IMAGES = 100


def offset_noise(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add a random offset to each column, in a call for each column."""
    noisy: pd.DataFrame = frame.apply(lambda column: column + rng.random())
    return noisy


def invert(frame: pd.DataFrame) -> pd.DataFrame:
    """Return 1 - x, in a call for each column."""
    inverted: pd.DataFrame = frame.apply(lambda column: 1 - column)
    return inverted


def threshold(frame: pd.DataFrame, bound: float) -> pd.DataFrame:
    """Return 0 or 1 for each pixel, in a call for each pixel, row by row."""
    out = frame.copy()
    for row in range(len(frame)):
        out.iloc[row, :] = frame.iloc[row, :].apply(lambda x: 0 if x < bound else 1)
    return out


def shuffle_together(
    images: pd.DataFrame, labels: pd.Series, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.Series]:
    """Shuffle images and labels in one frame."""
    joined = pd.concat([images, labels], axis=1)
    joined = joined.iloc[rng.permutation(len(joined))].reset_index(drop=True)
    return joined.iloc[:, :-1], joined.iloc[:, -1]


def with_noise_class(
    images: pd.DataFrame, labels: pd.Series, count: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.Series]:
    """Append `count` images of pure noise, labelled 10, and shuffle."""
    noise = pd.DataFrame(rng.random((count, 784)))
    images = pd.concat([images, noise], axis=0, ignore_index=True)
    tens = pd.Series(np.full(count, 10))
    return shuffle_together(images, pd.concat([labels, tens], axis=0, ignore_index=True), rng)


def model_stats(history: Any) -> None:
    """Draw the learning curve."""
    plt.plot(history.history["accuracy"], label="train_acc")
    plt.plot(history.history["val_accuracy"], label="val_acc")
    plt.title(f"{history.history['val_accuracy'][-1] * 100:.2f}% accuracy")
    plt.legend()
    plt.close()


def display(image: Any) -> None:
    """Draw one image (784,)."""
    plt.imshow(np.asarray(image).reshape(28, 28) * 255, cmap="gray")
    plt.close()


def show_mistake(model: Any, images: Any, labels: Any, rng: np.random.Generator) -> int:
    """Draw a wrongly answered image and return its number; 0 where there is none."""
    wrong = np.where(model.predict(images).argmax(axis=1) != np.asarray(labels))[0]
    chosen = int(rng.choice(wrong)) if len(wrong) else 0
    display(np.asarray(images)[chosen])
    return chosen


def confidence_distribution(model: Any, image: np.ndarray) -> None:
    """Draw the probabilities that the model gives to one image."""
    probabilities = model.predict(image.reshape(-1, *model.input_shape[1:]))[0]
    plt.bar(range(len(probabilities)), probabilities)
    plt.close()


def model_predictions(model: Any, images: Any, labels: Any, *, row_by_row: bool = False) -> None:
    """Draw the answers against the labels; the ANN's answers are looked up row by row."""
    found = model.predict(images)
    if row_by_row:
        answers: Any = [list(found[i]).index(max(found[i])) for i in range(len(found))]
    else:
        answers = found.argmax(axis=1)
    plt.hist(labels, label=["Actual values"])
    plt.hist(answers, label=["Predicted values"])
    plt.legend(loc="upper right")
    plt.close()


def noise_analysis(model: Any, rng: np.random.Generator) -> None:
    """Predict 100 images of pure noise, one image a call, and draw the answers."""
    noise = rng.random((NOISE_IMAGES, 1, *model.input_shape[1:]))
    answers, sure = [], []
    for image in noise:
        probabilities = list(model.predict(image)[0])
        answer, confidence = probabilities.index(max(probabilities)), max(probabilities)
        answers.append(answer)
        if confidence > SURE:
            sure.append(answer)
    for each in (answers, sure):
        plt.hist(each)
        plt.xticks(range(11))
        plt.close()
