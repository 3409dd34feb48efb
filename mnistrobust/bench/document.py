"""The document from top to bottom in plain Keras and pandas, cell by cell, with the time of each.

The algorithms are the document's. Where its epochs are cut off, 10; pictures are not rendered.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnistrobust.bench import notebook
from mnistrobust.bench.contestants import Note, Run
from mnistrobust.bench.plain_keras import default_threads
from mnistrobust.data import Dataset, Source, load
from mnistrobust.models import create_ann, create_cnn, create_rnn
from mnistrobust.recipes import noise_rows

ROWS = 1000
EPOCHS = 10
CNN_EPOCHS = 2
SEQUENCE = (-1, 28, 28)
PICTURE = (-1, 28, 28, 1)


class Cells:
    """The clock: every cell's name, seconds, and whether it repeats a training."""

    def __init__(self, note: Note) -> None:
        """Start without cells."""
        self.done: list[dict[str, Any]] = []
        self._note = note

    @contextlib.contextmanager
    def __call__(self, name: str, *, repeats: bool = False) -> Iterator[None]:
        """Time a cell; one that trains a network only to watch other images `repeats`."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.done.append({"cell": name, "seconds": seconds, "repeats_a_training": repeats})
        self._note(f"the document: {name}, {seconds:.1f} s")


class Frames:
    """The variables that the document's cells share."""

    def __init__(self, dataset: Dataset) -> None:
        """Scale the pixels to [0, 1], as pandas frames of float64."""
        arrays = dataset.arrays
        self.rng = np.random.default_rng()
        self.train = pd.DataFrame(arrays["x_train"].reshape(-1, 784)) / 255.0
        self.test = pd.DataFrame(arrays["x_test"].reshape(-1, 784)) / 255.0
        self.labels = pd.Series(arrays["y_train"].astype(np.int64))
        self.test_labels = pd.Series(arrays["y_test"].astype(np.int64))
        # filled by the ANN's cells
        self.train_50 = self.test_50 = self.train_noisy = self.test_noisy = self.train
        self.inverted = self.test

    @property
    def clean(self) -> tuple[Any, Any]:
        """The held-out digits."""
        return self.test, self.test_labels

    @property
    def noisy(self) -> tuple[Any, Any]:
        """The held-out digits with offset noise."""
        return self.test_noisy, self.test_labels

    @property
    def first(self) -> tuple[Any, Any]:
        """The first 1,000 training images."""
        return self.train.iloc[:ROWS, :], self.labels.iloc[:ROWS]

    @property
    def first_50(self) -> tuple[Any, Any]:
        """The first 1,000 training images, thresholded."""
        return self.train_50.iloc[:ROWS, :], self.labels.iloc[:ROWS]


def prepare(job: dict[str, Any], note: Note) -> Run:
    """Return the run of the document; its measurement has the list of cells."""
    default_threads()
    dataset = load(Source(**job["source"]))

    def run(_: int) -> dict[str, Any]:
        cell = Cells(note)
        with tempfile.TemporaryDirectory(prefix="mnistrobust-document-") as folder:
            with cell("load and scale"):
                frames = Frames(dataset)
            _ann_cells(cell, frames, Path(folder))
            _noise_class_cells(cell, frames, Path(folder))
            _rnn_cells(cell, frames)
            _cnn_cells(cell, frames)
        return {"cells": cell.done}

    return run


def _fit(
    model: Any, train: tuple[Any, Any], watch: tuple[Any, Any], epochs: int = EPOCHS
) -> tuple[Any, Any]:
    """Train as the document does, watching held-out images each epoch; draw the curve."""
    history = model.fit(*train, validation_data=watch, epochs=epochs)
    notebook.model_stats(history)
    return model, history


def _ann_cells(cell: Cells, m: Frames, folder: Path) -> None:
    import keras

    full = m.train, m.labels
    with cell("ANN"):
        ann, _ = _fit(create_ann(), full, m.clean)
        ann.save(folder / "ann.keras")
    with cell("ANN: predictions, a mistake"):
        notebook.model_predictions(ann, *m.clean, row_by_row=True)
        _look_at_mistake(ann, m.test, m)
    with cell("ANN on 1,000 rows"):
        _fit(create_ann(), m.first, m.clean)
    with cell("threshold"):
        m.train_50 = notebook.threshold(m.train, 0.9)
        m.test_50 = notebook.threshold(m.test, 0.9)
    with cell("ANN on 1,000 thresholded rows"):
        _fit(create_ann(), m.first_50, (m.test_50, m.test_labels))
    with cell("ANN on 1,000 thresholded rows, watching clean digits", repeats=True):
        _fit(create_ann(), m.first_50, m.clean)
    with cell("offset noise on held-out digits"):
        m.test_noisy = notebook.offset_noise(m.test, m.rng)
    with cell("ANN, watching offset noise", repeats=True):
        _fit(create_ann(), full, m.noisy)
    with cell("offset noise on training digits"):
        m.train_noisy = notebook.offset_noise(m.train, m.rng)
    noisy_set = m.train_noisy, m.labels
    with cell("ANN on offset noise"):
        ann_noisy, _ = _fit(create_ann(), noisy_set, m.noisy)
    with cell("ANN on offset noise: predictions, a mistake"):
        notebook.model_predictions(ann_noisy, *m.noisy, row_by_row=True)
        _look_at_mistake(ann_noisy, m.test_noisy, m)
    with cell("ANN on offset noise, watching clean digits", repeats=True):
        ann_noisy, _ = _fit(create_ann(), noisy_set, m.clean)
        ann_noisy.save(folder / "ann_noisy.keras")
    with cell("ANN on offset noise: predictions, a mistake, clean digits"):
        notebook.model_predictions(ann_noisy, *m.clean, row_by_row=True)
        _look_at_mistake(ann_noisy, m.test, m)
    with cell("ANN: pure noise"):
        notebook.noise_analysis(keras.models.load_model(folder / "ann.keras"), m.rng)
    with cell("ANN on offset noise: pure noise"):
        notebook.noise_analysis(ann_noisy, m.rng)


def _noise_class_cells(cell: Cells, m: Frames, folder: Path) -> None:
    count = noise_rows(len(m.train))
    with cell("append the noise class"):
        plus = notebook.with_noise_class(m.train, m.labels, count, m.rng)
        held_out = notebook.with_noise_class(m.test, m.test_labels, len(m.test) // 10, m.rng)
    with cell("ANN with noise class"):
        model, _ = _fit(create_ann(11), plus, held_out)
        model.save(folder / "ann_plusnoisy.keras")
    with cell("ANN with noise class: pure noise"):
        notebook.noise_analysis(model, m.rng)
    with cell("append the noise class to offset noise"):
        noisy_plus = notebook.with_noise_class(m.train_noisy, m.labels, count, m.rng)
    with cell("ANN on offset noise with noise class"):
        model, _ = _fit(create_ann(11), noisy_plus, held_out)
        model.save(folder / "ann_noisy_plusnoise.keras")
    with cell("ANN on offset noise with noise class: offset noise"):
        model.evaluate(*m.noisy)
        notebook.model_predictions(model, *m.noisy, row_by_row=True)
        _look_at_mistake(model, m.test_noisy, m)
    with cell("invert"):
        m.inverted = notebook.invert(m.test)
    watch = m.inverted, m.test_labels
    for name, classes, train in (
        ("ANN with noise class, watching inverted digits", 11, plus),
        ("ANN, watching inverted digits", 10, (m.train, m.labels)),
    ):
        with cell(name, repeats=True):
            model, _ = _fit(create_ann(classes), train, watch)
        with cell(f"{name}: predictions, a mistake"):
            notebook.model_predictions(model, *watch, row_by_row=True)
            _look_at_mistake(model, m.inverted, m)


def _rnn_cells(cell: Cells, m: Frames) -> None:
    def shaped(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        return pair[0].to_numpy().reshape(SEQUENCE), pair[1].to_numpy()

    clean, noisy = shaped(m.clean), shaped(m.noisy)
    with cell("RNN"):
        model, _ = _fit(create_rnn(), shaped((m.train, m.labels)), clean)
    with cell("RNN: predictions, a mistake"):
        notebook.model_predictions(model, *clean)
        _look_at_mistake(model, clean[0], m)
    with cell("RNN: offset noise, pure noise"):
        model.evaluate(*noisy)
        notebook.model_predictions(model, *noisy)
        notebook.noise_analysis(model, m.rng)
        notebook.confidence_distribution(model, m.rng.random(784))
    with cell("RNN on offset noise"):
        model, _ = _fit(create_rnn(), shaped((m.train_noisy, m.labels)), noisy)
    with cell("RNN on offset noise: clean digits, pure noise, inverted digits"):
        model.evaluate(*clean)
        notebook.model_predictions(model, *clean)
        _look_at_mistake(model, clean[0], m)
        notebook.noise_analysis(model, m.rng)
        notebook.confidence_distribution(model, m.rng.random(784))
        model.evaluate(*shaped((m.inverted, m.test_labels)))
    with cell("RNN on 1,000 rows"):
        model, _ = _fit(create_rnn(), shaped(m.first), clean)
        notebook.model_predictions(model, *clean)
    with cell("RNN on 1,000 thresholded rows"):
        watch = shaped((m.test_50, m.test_labels))
        model, _ = _fit(create_rnn(), shaped(m.first_50), watch)
        notebook.model_predictions(model, *watch)


def _cnn_cells(cell: Cells, m: Frames) -> None:
    def shaped(images: pd.DataFrame) -> Any:
        return np.array(images).reshape(PICTURE)

    clean = shaped(m.test), m.test_labels.to_numpy()
    labels = m.labels.to_numpy()
    with cell("CNN"):
        model, _ = _fit(create_cnn(), (shaped(m.train), labels), clean, CNN_EPOCHS)
    with cell("CNN: a mistake"):
        _look_at_mistake(model, clean[0], m)
    with cell("CNN on 1,000 rows"):
        model, _ = _fit(create_cnn(), (shaped(m.train)[:ROWS], labels[:ROWS]), clean)
    with cell("CNN on 1,000 rows: offset noise, pure noise, inverted digits"):
        model.evaluate(shaped(m.test_noisy), clean[1])
        notebook.model_predictions(model, shaped(m.test_noisy), clean[1])
        notebook.confidence_distribution(model, m.rng.random(784))
        notebook.noise_analysis(model, m.rng)
        model.evaluate(shaped(m.inverted), clean[1])
        notebook.model_predictions(model, shaped(m.inverted), clean[1])
    with cell("CNN on offset noise"):
        train = shaped(m.train_noisy), labels
        model, _ = _fit(create_cnn(), train, clean, CNN_EPOCHS)
    with cell("CNN on offset noise: clean digits, inverted digits"):
        model.evaluate(*clean)
        notebook.model_predictions(model, *clean)
        model.evaluate(shaped(m.inverted), clean[1])
        notebook.model_predictions(model, shaped(m.inverted), clean[1])


def _look_at_mistake(model: Any, images: Any, m: Frames) -> None:
    chosen = notebook.show_mistake(model, images, m.test_labels, m.rng)
    notebook.confidence_distribution(model, np.asarray(images)[chosen])
