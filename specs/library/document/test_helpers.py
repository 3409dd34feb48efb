"""The document's helpers: their examples, the errors they do not copy, and real Keras models."""

import doctest
import random
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mnistrobust.document import helpers
from mnistrobust.errors import DataError, ImageError, UsageError

SHAPES = ((784,), (28, 28), (28, 28, 1))
HELPERS = [name for name in helpers.__all__ if not name.startswith("create_")]


class Lookup:
    """A model that predictions with the brightest of the first ten pixels, and is 0.91 confident about it."""

    def predict(self, images, verbose):
        assert verbose == 0  # a helper prints no progress
        flat = images.reshape(len(images), -1)
        top = flat[:, :10].argmax(axis=1)
        return np.where(np.arange(10) == top[:, None], 0.91, 0.01)


class History:
    """What Keras's fit returns, as far as the helpers look at it."""

    def __init__(self):
        self.model = Lookup()
        self.history = {"accuracy": [0.8, 0.9], "val_accuracy": [0.95, 0.975]}


def digits():
    """Return ten images (10, 784), image k of which the model predictions with k."""
    images = np.zeros((10, 784), np.float32)
    images[np.arange(10), np.arange(10)] = 1
    return images


IN_ALL_FORMS = [
    pytest.param(digits().reshape(-1, *shape), id=f"array-{len(shape) + 1}d") for shape in SHAPES
] + [pytest.param(pd.DataFrame(digits(), index=list("abcdefghij")), id="frame")]


@pytest.fixture(autouse=True)
def pictures(monkeypatch):
    """Draw in memory, fail where a helper shows a picture, and close what was drawn."""
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show() was called"))
    yield
    plt.close("all")


@pytest.fixture
def axes():
    return plt.subplots()[1]


@pytest.mark.parametrize("name", HELPERS)
def test_docstring_example_runs(name):
    """Every helper's docstring has an example, and it prints what it says."""
    examples = {
        "model": Lookup(),
        "history": History(),
        "X_test": pd.DataFrame(digits()),
        "y_test": pd.Series(range(10)),
        **vars(helpers),
    }
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    (found,) = finder.find(getattr(helpers, name), name, globs=examples)

    assert found.examples
    report = []
    runner.run(found, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("label", range(10))
def test_confidence_in_a_label_is_its_probability_zero_included(label):
    """Label 0 is a label, not "none given"."""
    assert helpers.confidence(Lookup(), digits()[3], label) == (0.91 if label == 3 else 0.01)


@pytest.mark.parametrize("images", IN_ALL_FORMS)
def test_every_helper_takes_every_form_of_images(images, axes):
    """Arrays of three shapes and frames give the same predictions, of a model and of a History."""
    rows = images.to_numpy() if isinstance(images, pd.DataFrame) else images
    for model in (Lookup(), History()):
        assert helpers.confidence(model, rows[4]) == (4, 0.91)
        assert helpers.confidence(model, images[4:5]) == (4, 0.91)
        assert helpers.model_predictions(model, images, ax=axes).tolist() == list(range(10))
        assert helpers.confidence_distribution(model, images, 4, 10, ax=axes) is axes
        assert helpers.show_mistake(model, images, y_test=[0] * 9 + [9], rng=0, ax=axes) in range(
            1, 9
        )
    assert helpers.display(images, None, 4, ax=axes) is axes
    assert type(helpers.threshold(images, 0.5)) is type(images)
    shuffled, labels = helpers.shuff_together(images, pd.Series(range(10)), rng=0)
    np.testing.assert_array_equal(np.asarray(shuffled), rows[labels].reshape(np.shape(shuffled)))


def test_confidence_takes_a_series():
    """A row of a frame is an image, as in the document."""
    assert helpers.confidence(Lookup(), pd.DataFrame(digits()).iloc[7]) == (7, 0.91)


def test_logits_become_probabilities(axes):
    """A model without a softmax at its end is as confident as one that has it."""

    class Logits(Lookup):
        def predict(self, images, **options):
            return np.log(super().predict(images, **options)) + 2.0

    assert helpers.confidence(Logits(), digits()[3]) == (3, pytest.approx(0.91))
    assert helpers.confidence(Logits(), digits()[3], 0) == pytest.approx(0.01)
    assert helpers.noise_analysis(Logits(), 0.9, 5, ax=axes)[1] == pytest.approx([0.91] * 5)


def test_threshold_is_of_each_pixel_and_refuses_nan():
    """A pixel at the bar is ink; NaN is an error, not ink."""
    images = digits() * np.float32(0.9)
    assert helpers.threshold(images, 0.9).sum() == 10

    images[0, 0] = np.nan
    with pytest.raises(ImageError, match="NaN"):
        helpers.threshold(images, 0.9)


def test_show_mistake_finds_the_only_one(axes):
    """The index is that of a wrong answer, and the title has both labels."""
    index = helpers.show_mistake(Lookup(), digits(), y_test=[0, 1, 2, 3, 4, 8, 6, 7, 8, 9], ax=axes)

    assert index == 5
    assert axes.get_title() == "True label: 8, predicted: 5"


@pytest.mark.parametrize("kind", [str, float, "S1", object, "category", "Int64", "string"])
def test_labels_of_any_type_are_numbers(kind, axes):
    """OpenML gives its labels as text; 8 of '8' is no mistake, and is counted as 8."""
    labels = np.array([0, 1, 2, 3, 4, 8, 6, 7, 8, 9])
    texts = labels.astype(str)
    pandas = kind in {"category", "Int64", "string"}
    given = pd.Series(texts).astype(kind) if pandas else texts.astype(kind)

    assert helpers.show_mistake(Lookup(), digits(), y_test=given, ax=axes) == 5
    assert axes.get_title() == "True label: 8, predicted: 5"
    assert helpers.display(digits(), given, 5).get_title() == "True label: 8"
    axes.clear()
    helpers.model_predictions(Lookup(), digits(), given, ax=axes)
    shares = [bar.get_height() for bar in axes.containers[0]]
    assert shares == pytest.approx((np.bincount(labels) / 10).tolist())


def test_show_mistake_draws_the_image_that_is_asked_for(axes):
    """With an index, the image is drawn whether or not its answer is wrong."""
    assert helpers.show_mistake(Lookup(), digits(), 2, range(10), ax=axes) == 2
    assert axes.get_title() == "True label: 2, predicted: 2"


def test_noise_analysis_draws_as_many_images_as_asked(axes):
    """The number of images counts, and the title says how many are above the bar."""
    predictions, confidences = helpers.noise_analysis(Lookup(), 0.9, 37, rng=3, ax=axes)
    again, _ = helpers.noise_analysis(Lookup(), 0.95, 37, rng=np.random.default_rng(3), ax=axes)

    assert (predictions.shape, confidences.tolist()) == ((37,), [0.91] * 37)
    assert predictions.tolist() == again.tolist()
    assert axes.get_title() == "Pure noise: 0/37 with a confidence above 95.0%"


def test_noise_analysis_draws_shares_of_all_images(axes):
    """The confident ones, of which there are fewer, too."""

    class Half(Lookup):
        def predict(self, images, **options):
            outputs = super().predict(images, **options)
            outputs[::2] = 0.1
            return outputs

    helpers.noise_analysis(Half(), 0.75, 40, rng=3, ax=axes)

    every, confident = (
        sum(bar.get_height() for bar in bars if np.isfinite(bar.get_height()))
        for bars in axes.containers
    )
    assert (every, confident) == pytest.approx((1, 0.5))


def test_noise_analysis_draws_fresh_noise():
    """Without a seed, two calls see two sets of noise."""
    first, second = (helpers.noise_analysis(Lookup(), noise_n=50)[0] for _ in range(2))

    assert first.tolist() != second.tolist()


def test_shuff_together_keeps_pairs_kinds_and_types():
    """Rows stay with their labels, though the indexes differ; the new index counts from 0."""
    images = pd.DataFrame(digits(), index=[5] * 10)
    labels = pd.Series(range(10), name="label", dtype="uint8")
    mixed, truth = helpers.shuff_together(images, labels, rng=1)

    assert mixed.to_numpy().argmax(axis=1).tolist() == truth.tolist() != list(range(10))
    assert list(mixed.index) == list(truth.index) == list(range(10))
    assert (truth.name, truth.dtype, mixed.dtypes[0]) == ("label", "uint8", "float32")
    mixed, truth = helpers.shuff_together(digits(), labels.to_numpy(), rng=1)
    assert mixed.argmax(axis=1).tolist() == truth.tolist()


def test_global_generators_are_untouched():
    """A helper that draws at random leaves Python's and NumPy's generators as they are."""
    states = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    helpers.noise_analysis(Lookup(), noise_n=3)
    helpers.shuff_together(digits(), np.arange(10))
    helpers.show_mistake(Lookup(), digits(), y_test=[1] * 10)

    assert (random.getstate(), np.random.get_state()[1].tobytes()) == states  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: helpers.confidence(Lookup(), digits()), ImageError, "single row"),
        (lambda: helpers.confidence(Lookup(), digits()[0], 10), UsageError, "0…9, received 10"),
        (lambda: helpers.confidence(Lookup(), digits()[0], -1), UsageError, "0…9, received -1"),
        (lambda: helpers.confidence("ann", digits()[0]), UsageError, "pass a model"),
        (
            lambda: helpers.confidence_distribution(Lookup(), digits(), 0, 11),
            UsageError,
            "op=10, the classes that the model has, received 11",
        ),
        (
            lambda: helpers.confidence_distribution(Lookup(), digits(), 10),
            UsageError,
            "an index below 10, received 10",
        ),
        (
            lambda: helpers.show_mistake(Lookup(), digits(), y_test=range(10)),
            UsageError,
            "received 10 right predictions",
        ),
        (lambda: helpers.show_mistake(Lookup(), digits()), UsageError, "pass y_test=labels"),
        (
            lambda: helpers.show_mistake(Lookup(), digits(), y_test=[1]),
            ImageError,
            "10 images, received 1",
        ),
        *(
            (
                lambda wrong=wrong: helpers.show_mistake(
                    Lookup(), digits(), y_test=[*"012345678", wrong]
                ),
                ImageError,
                f"whole numbers from 0 as labels, received {wrong}; pass the digits",
            )
            for wrong in ("nine", 0.5, -1, np.nan, None)
        ),
        (lambda: helpers.model_predictions(Lookup(), digits()[:0]), ImageError, "at least one"),
        (
            lambda: helpers.model_predictions(Lookup(), digits().astype("uint8")),
            ImageError,
            "divide pixels by 255",
        ),
        (
            lambda: helpers.shuff_together(digits(), np.arange(9)),
            ImageError,
            "10 images, received 9",
        ),
        (lambda: helpers.model_stats(Lookup()), UsageError, "pass what fit returned"),
        (lambda: helpers.model_stats({"loss": [1.0]}), UsageError, "received loss"),
        (lambda: helpers.display(digits(), None, 99), UsageError, "below 10, received 99"),
        (lambda: helpers.load("no-such.keras"), FileNotFoundError, "no-such.keras not found"),
    ],
    ids=range(21),
)
def test_errors_name_the_remedy(call, error, words):
    """An error says what was expected and what came, in one line."""
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def fitted():
    """The document's three models, the ANN after one step of training, with its History."""
    ann = helpers.create_ann()
    history = ann.fit(digits(), np.arange(10), validation_data=(digits(), np.arange(10)), verbose=0)
    return history, helpers.create_rnn(), helpers.create_cnn(11)


@pytest.mark.slow
@pytest.mark.parametrize("images", IN_ALL_FORMS)
def test_keras_models_take_every_form_of_images(fitted, images, axes):
    """ANN, RNN and CNN take images of any form, whatever shape they were built for."""
    for model, classes in zip(fitted, (10, 10, 11), strict=True):
        predictions = helpers.model_predictions(model, images, range(10), ax=axes)
        label, probability = helpers.confidence(model, images[6:7])

        assert label == predictions[6]
        assert 1 / classes <= probability <= 1
        assert helpers.confidence(model, images[6:7], label) == probability


def test_the_title_of_a_learning_curve_is_the_last_accuracy(axes):
    """Not the best one, which the network does not have any more."""
    history = {"accuracy": [0.5, 0.9, 0.95], "val_accuracy": [0.6, 0.8, 0.7]}

    assert helpers.model_stats(history, ax=axes).get_title() == "70.00% accuracy"


@pytest.mark.slow
def test_learning_curve_of_a_history_and_of_its_model(fitted, axes):
    """A History and the model that was fitted have the same curve."""
    history, rnn, _ = fitted
    title = helpers.model_stats(history, ax=axes).get_title()

    assert title == helpers.model_stats(history.model, ax=axes).get_title()
    assert title == f"{100 * history.history['val_accuracy'][-1]:.2f}% accuracy"
    with pytest.raises(UsageError, match="pass what fit returned"):
        helpers.model_stats(rnn)


def test_a_layer_of_ones_own_is_an_error_in_one_line(monkeypatch, tmp_path):
    """Keras raises a TypeError of many lines for one in a .keras file."""

    def load_model(_):
        raise TypeError("<class> could not be deserialized properly.\n\nconfig={'module': ...}")

    keras = SimpleNamespace(models=SimpleNamespace(load_model=load_model))
    monkeypatch.setattr(helpers, "import_keras", lambda: keras)
    (tmp_path / "own.keras").touch()

    with pytest.raises(DataError, match=r"own.keras: Keras does not know a layer of it") as caught:
        helpers.load(tmp_path / "own.keras")
    assert "\n" not in str(caught.value)
    with pytest.raises(helpers.ModelNotFoundError):
        helpers.load("long" * 1000)


@pytest.mark.slow
def test_saved_model_predictions_the_same(fitted, tmp_path):
    """A loaded model is the saved one; a file that holds none is an error of one line."""
    file = tmp_path / "ann.keras"
    fitted[0].model.save(file)

    loaded = helpers.load(file)
    assert helpers.confidence(loaded, digits()[1]) == helpers.confidence(fitted[0], digits()[1])

    for name in ("damaged.keras", "ann.h5", "ann"):
        (tmp_path / name).write_bytes(b"not a model")
        with pytest.raises(DataError, match=f"Cannot read .*{name}") as caught:
            helpers.load(str(tmp_path / name))
        assert "\n" not in str(caught.value)
