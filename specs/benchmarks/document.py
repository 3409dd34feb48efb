"""The document's cells from top to bottom, in plain Keras and pandas, with the time of each.

The algorithms are the document's: a loop where it loops. Its epochs are 10 where they are cut off.
Pictures are drawn, but not rendered.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mnistrobust.errors import say
from mnistrobust.models import create_ann, create_cnn, create_rnn
from mnistrobust.recipes import noise_rows

ROWS = 1000
EPOCHS = 10
CNN_EPOCHS = 2
CONFIDENT = 0.9
NOISE_IMAGES = 100


class Document:
    """The variables that the document's cells share, and the seconds of each cell."""

    def __init__(self, arrays, folder, epochs=EPOCHS):
        self.cells, self.folder, self.epochs = [], folder, epochs
        self.rng = np.random.default_rng()
        images = arrays["x_train"], arrays["x_test"]
        self.images, self.test = self.cell("load and scale", lambda: list(map(scaled, images)))
        self.labels, self.test_labels = (
            pd.Series(arrays[y].astype(int)) for y in ("y_train", "y_test")
        )

    def cell(self, name, function, *arguments, repeats=False, **settings):
        """Call and time a cell; one that trains a network only to watch other images `repeats`."""
        start = time.perf_counter()
        result = function(*arguments, **settings)
        seconds = time.perf_counter() - start
        self.cells.append({"cell": name, "seconds": seconds, "repeats_a_training": repeats})
        say(f"the document: {name}, {seconds:.1f} s")
        return result

    def ann(self):
        cell, fit, look = self.cell, self.fit, self.look
        full, first = (self.images, self.labels), (self.images[:ROWS], self.labels[:ROWS])
        clean, steps = (self.test, self.test_labels), "predictions_by_row mistake"
        ann = cell("ANN", fit, create_ann, full, clean, save="ann")
        cell("ANN: predictions, a mistake", look, ann, (self.test, steps))
        cell("ANN on 1,000 rows", fit, create_ann, first, clean)
        both = self.images, self.test
        self.dark, self.test_dark = cell("threshold", lambda: list(map(threshold, both)))
        first, dark = (self.dark[:ROWS], self.labels[:ROWS]), (self.test_dark, self.test_labels)
        name = "ANN on 1,000 thresholded rows"
        cell(name, fit, create_ann, first, dark)
        cell(f"{name}, watching clean digits", fit, create_ann, first, clean, repeats=True)
        name = "offset noise on held-out digits"
        self.test_noisy = cell(name, offset_noise, self.test, self.rng)
        watch = self.test_noisy, self.test_labels
        cell("ANN, watching offset noise", fit, create_ann, full, watch, repeats=True)
        name = "offset noise on training digits"
        self.noisy = cell(name, offset_noise, self.images, self.rng)
        full, name = (self.noisy, self.labels), "ANN on offset noise"
        noisy = cell(name, fit, create_ann, full, watch)
        cell(f"{name}: predictions, a mistake", look, noisy, (self.test_noisy, steps))
        again = f"{name}, watching clean digits"
        noisy = cell(again, fit, create_ann, full, clean, save="ann_noisy", repeats=True)
        cell(f"{name}: predictions, a mistake, clean digits", look, noisy, (self.test, steps))
        cell("ANN: pure noise", lambda: self.noise_analysis(self.loaded("ann")))
        cell(f"{name}: pure noise", self.noise_analysis, noisy)

    def noise_class(self):
        cell, fit, look, add = self.cell, self.fit, self.look, self.with_noise_class
        count, few = noise_rows(len(self.images)), len(self.test) // 10
        steps = "predictions_by_row mistake"
        sets = (self.images, self.labels, count), (self.test, self.test_labels, few)
        plus, held_out = cell("append the noise class", lambda: [add(*each) for each in sets])
        name, save = "ANN with noise class", "ann_plusnoisy"
        model = cell(name, fit, create_ann, plus, held_out, classes=11, save=save)
        cell(f"{name}: pure noise", self.noise_analysis, model)
        name = "append the noise class to offset noise"
        noisy_plus = cell(name, add, self.noisy, self.labels, count)
        name, save = "ANN on offset noise with noise class", "ann_noisy_plusnoise"
        model = cell(name, fit, create_ann, noisy_plus, held_out, classes=11, save=save)
        cell(f"{name}: offset noise", look, model, (self.test_noisy, f"evaluate {steps}"))
        self.inverted = cell("invert", invert, self.test)
        watch = self.inverted, self.test_labels
        for name, classes, train in (
            ("ANN with noise class, watching inverted digits", 11, plus),
            ("ANN, watching inverted digits", 10, (self.images, self.labels)),
        ):
            model = cell(name, fit, create_ann, train, watch, classes=classes, repeats=True)
            cell(f"{name}: predictions, a mistake", look, model, (self.inverted, steps))

    def rnn(self):
        def shaped(images, labels):
            return images.to_numpy().reshape(-1, 28, 28), labels.to_numpy()

        def fit_and_predict(train, watch):
            look(fit(create_rnn, train, watch), (watch[0], "predictions"))

        cell, fit, look, labels = self.cell, self.fit, self.look, self.test_labels
        clean, noisy, dark, inverted = (
            shaped(images, labels)
            for images in (self.test, self.test_noisy, self.test_dark, self.inverted)
        )
        model = cell("RNN", fit, create_rnn, shaped(self.images, self.labels), clean)
        cell("RNN: predictions, a mistake", look, model, (clean[0], "predictions mistake"))
        name, steps = "RNN: offset noise, pure noise", "evaluate predictions noise"
        cell(name, look, model, (noisy[0], steps))
        name = "RNN on offset noise"
        model = cell(name, fit, create_rnn, shaped(self.noisy, self.labels), noisy)
        name += ": clean digits, pure noise, inverted digits"
        steps = "evaluate predictions mistake noise"
        cell(name, look, model, (clean[0], steps), (inverted[0], "evaluate"))
        for name, images, watch in (
            ("RNN on 1,000 rows", self.images, clean),
            ("RNN on 1,000 thresholded rows", self.dark, dark),
        ):
            cell(name, fit_and_predict, shaped(images[:ROWS], self.labels[:ROWS]), watch)

    def cnn(self):
        def shaped(images):
            return np.array(images).reshape(-1, 28, 28, 1)

        cell, fit, look, labels = self.cell, self.fit, self.look, self.labels.to_numpy()
        test, noisy, inverted = map(shaped, (self.test, self.test_noisy, self.inverted))
        watch, few = (test, self.test_labels.to_numpy()), min(CNN_EPOCHS, self.epochs)
        train = shaped(self.images), labels
        model = cell("CNN", fit, create_cnn, train, watch, epochs=few)
        cell("CNN: a mistake", look, model, (test, "mistake"))
        name, steps = "CNN on 1,000 rows", "evaluate predictions"
        model = cell(name, fit, create_cnn, (train[0][:ROWS], labels[:ROWS]), watch)
        name += ": offset noise, pure noise, inverted digits"
        cell(name, look, model, (noisy, f"{steps} noise"), (inverted, steps))
        name, train = "CNN on offset noise", (shaped(self.noisy), labels)
        model = cell(name, fit, create_cnn, train, watch, epochs=few)
        name += ": clean digits, inverted digits"
        cell(name, look, model, (test, steps), (inverted, steps))

    def fit(self, create, train, watch, *, classes=10, epochs=None, save=None):
        model = create(classes)
        history = model.fit(*train, validation_data=watch, epochs=epochs or self.epochs).history
        plt.plot(history["accuracy"], label="train_acc")
        plt.plot(history["val_accuracy"], label="val_acc")
        plt.title(f"{history['val_accuracy'][-1] * 100:.2f}% accuracy")
        plt.legend()
        plt.close()
        if save:
            model.save(self.folder / f"{save}.keras")
        return model

    def look(self, model, *sets):
        """Take the steps named for each set of images, as the document does in one cell."""
        for images, steps in sets:
            for step in steps.split():
                getattr(self, step)(model, images)

    def evaluate(self, model, images):
        frame = isinstance(images, pd.DataFrame)  # Keras takes two of a kind only
        model.evaluate(images, self.test_labels if frame else self.test_labels.to_numpy())

    def predictions(self, model, images):
        self.histogram(model.predict(images).argmax(axis=1))

    def predictions_by_row(self, model, images):
        self.histogram([list(row).index(max(row)) for row in model.predict(images)])

    def histogram(self, predicted):
        plt.hist(self.test_labels, label=["Actual values"])
        plt.hist(predicted, label=["Predicted values"])
        plt.legend(loc="upper right")
        plt.close()

    def mistake(self, model, images):
        wrong = np.where(model.predict(images).argmax(axis=1) != self.test_labels.to_numpy())[0]
        image = np.asarray(images)[int(self.rng.choice(wrong)) if len(wrong) else 0]
        plt.imshow(image.reshape(28, 28) * 255, cmap="gray")
        plt.close()
        confidence_distribution(model, image)

    def noise(self, model, _):
        confidence_distribution(model, self.rng.random(784))
        self.noise_analysis(model)

    def noise_analysis(self, model):
        predicted, confident = [], []
        for image in self.rng.random((NOISE_IMAGES, 1, *model.input_shape[1:])):
            probabilities = list(model.predict(image)[0])
            predicted.append(probabilities.index(max(probabilities)))
            if max(probabilities) > CONFIDENT:
                confident.append(predicted[-1])
        for each in (predicted, confident):
            plt.hist(each)
            plt.xticks(range(11))
            plt.close()

    def loaded(self, name):
        import keras

        return keras.models.load_model(self.folder / f"{name}.keras")

    def with_noise_class(self, images, labels, count):
        noise, tens = pd.DataFrame(self.rng.random((count, 784))), pd.Series(np.full(count, 10))
        images = pd.concat([images, noise], axis=0, ignore_index=True)
        labels = pd.concat([labels, tens], axis=0, ignore_index=True)
        joined = pd.concat([images, labels], axis=1)
        joined = joined.iloc[self.rng.permutation(len(joined))].reset_index(drop=True)
        return joined.iloc[:, :-1], joined.iloc[:, -1]


def scaled(images):
    return pd.DataFrame(images.reshape(-1, 784)) / 255.0


def offset_noise(frame, rng):
    return frame.apply(lambda column: column + rng.random())


def invert(frame):
    return frame.apply(lambda column: 1 - column)


def threshold(frame, bound=0.9):
    out = frame.copy()
    for row in range(len(frame)):
        out.iloc[row, :] = frame.iloc[row, :].apply(lambda x: 0 if x < bound else 1)
    return out


def confidence_distribution(model, image):
    probabilities = model.predict(image.reshape(-1, *model.input_shape[1:]))[0]
    plt.bar(range(len(probabilities)), probabilities)
    plt.close()
