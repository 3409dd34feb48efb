"""The pictures: what is drawn, where, and what stays as it was."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from mnistrobust import plots
from mnistrobust.errors import UsageError
from mnistrobust.evaluations import Evaluation

HISTORY = {"accuracy": [0.5, 0.7, 0.8], "val_accuracy": [0.6, 0.8, 0.9], "loss": [3.0, 2.0, 1.0]}


def evaluation(labels, classes=10):
    """Return an evaluation whose every second answer is 3, at a confidence from 0.5 to 1."""
    labels = np.array([labels], np.uint8)
    predictions = np.where(np.arange(labels.size) % 2, 3, labels % classes).astype(np.uint8)
    return Evaluation(
        recipe="ann",
        condition="clean",
        seed=0,
        dataset="mnist5k",
        classes=classes,
        input_shape=(784,),
        labels=labels,
        predictions=predictions,
        confidence=np.linspace(0.5, 1, labels.size, dtype=np.float32)[None],
        losses=np.ones(labels.shape, np.float32),
    )


CALLS = [
    pytest.param(lambda ax: plots.learning_curve(HISTORY, ax=ax), id="learning-curve"),
    pytest.param(
        lambda ax: plots.predictions(np.arange(10), np.arange(10), ax=ax), id="predictions"
    ),
    pytest.param(lambda ax: plots.predictions(np.full(5, 10), ax=ax), id="noise-predictions"),
    pytest.param(
        lambda ax: plots.confidence_histogram(np.linspace(0, 1, 9), np.arange(9) > 4, ax=ax),
        id="right-and-wrong",
    ),
    pytest.param(lambda ax: plots.confidence_histogram(np.ones((2, 3)), ax=ax), id="confidence"),
    pytest.param(lambda ax: plots.image(np.zeros((28, 28)), title="blank", ax=ax), id="image"),
]


@pytest.fixture(autouse=True)
def pictures(monkeypatch):
    """Draw in memory, fail where a picture is shown, and close what was drawn."""
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show() was called"))
    yield
    plt.close("all")


@pytest.mark.parametrize("call", CALLS)
def test_axes_given_are_drawn_on_and_returned(call):
    """A picture goes where it is asked to, and makes no other figure."""
    ax = plt.subplots()[1]

    assert call(ax) is ax
    assert ax.has_data()
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("call", CALLS)
def test_without_axes_a_picture_has_its_own_figure(call):
    """Two pictures never land on each other, and no setting is changed."""
    settings = dict(mpl.rcParams)
    first, second = call(None), call(None)

    assert first.figure is not second.figure
    assert dict(mpl.rcParams) == settings


@pytest.mark.parametrize("call", CALLS[:-1])
def test_plots_name_their_axes(call):
    """Both axes of a plot say what they show."""
    ax = call(None)

    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_learning_curve_counts_epochs_from_one():
    """The curves are the history's, and epochs are whole numbers from 1."""
    ax = plots.learning_curve(HISTORY)

    assert [list(line.get_ydata()) for line in ax.lines] == [
        HISTORY["accuracy"],
        HISTORY["val_accuracy"],
    ]
    assert list(ax.lines[0].get_xdata()) == [1, 2, 3]
    with pytest.raises(UsageError, match="val_accuracy"):
        plots.learning_curve({"accuracy": [0.5]})


def test_predictions_stand_beside_labels():
    """Bars are shares of all images; label and answer of a class never overlap."""
    ax = plots.predictions(np.array([[1, 1, 1, 2]]), np.array([[1, 1, 2, 2]]))
    truth, predictions = ax.containers

    assert [round(bar.get_height(), 9) for bar in truth][:3] == [0, 0.5, 0.5]
    assert [round(bar.get_height(), 9) for bar in predictions][:3] == [0, 0.75, 0.25]
    for left, right in zip(truth, predictions, strict=True):
        assert left.get_x() + left.get_width() <= right.get_x() + 1e-9


def test_noise_class_has_its_own_bar():
    """An answer 10 is drawn, and named as noise."""
    ax = plots.predictions(np.full(4, 10))

    assert [bar.get_height() for bar in ax.patches] == [0] * 10 + [1]
    assert "noise" in ax.get_xticklabels()[10].get_text()


def test_confidence_histogram_counts_strictly_above_the_bar():
    """The legend says how many predictions were right and wrong, and which share was confident."""
    confidence = np.array([0.9, 0.95, 0.95, 0.5])
    ax = plots.confidence_histogram(confidence, np.array([True, True, False, False]))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]

    assert texts == ["right: 2, 50% above 0.9", "wrong: 2, 50% above 0.9"]
    assert all(patch.get_data().values.sum() == pytest.approx(1) for patch in ax.patches)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1), (1, 784)])
def test_image_is_drawn_upright_and_on_a_fixed_scale(shape):
    """Rows run downwards; a grey image stays grey, and noise up to 2 is not cut off."""
    pixels = np.zeros(784)
    pixels[1], pixels[28] = 0.5, 0.25
    (drawn,) = plots.image(pixels.reshape(shape)).images

    assert drawn.get_array()[0, 1] == 0.5
    assert drawn.get_array()[1, 0] == 0.25
    assert drawn.get_clim() == (0, 1)
    assert plots.image(2 * np.ones(784)).images[0].get_clim() == (0, 2)


def test_image_of_another_size_is_refused():
    """A whole set is no image."""
    with pytest.raises(UsageError, match="received the shape"):
        plots.image(np.zeros((2, 784)))


@pytest.mark.slow
def test_overview_has_the_first_images_and_three_plots():
    """Each image has its answer, and its label where that is another; the file is a picture."""
    figure = plots.overview(evaluation(range(10)), HISTORY, np.zeros((12, 784)))
    strip, (curve, counts, confident) = figure.axes[:10], figure.axes[10:]

    assert [ax.get_title()[0] for ax in strip] == list("0323436383")
    assert [ax.texts[0].get_text() for ax in strip if ax.texts] == [
        "label 1",
        "label 5",
        "label 7",
        "label 9",
    ]
    assert (len(curve.lines), len(counts.containers), bool(confident.patches)) == (2, 2, True)
    file = io.BytesIO()
    figure.savefig(file)
    assert file.getvalue().startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_overview_without_truth_judges_no_answer():
    """A digit classifier on noise is neither right nor wrong; a short set leaves places empty."""
    figure = plots.overview(evaluation([10] * 4), HISTORY, np.zeros((3, 784)))

    assert not any(ax.texts for ax in figure.axes[:10])
    assert [bool(ax.images) for ax in figure.axes[:10]] == [True] * 3 + [False] * 7
    (legend,) = figure.axes[12].get_legend().get_texts()
    assert legend.get_text().startswith("all: 4")
