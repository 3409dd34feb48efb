"""The pictures of a comparison: which way is better, what is confused more often, which images flip."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks.inputs import inputs_named
from mnistrobust.comparison import page, text
from mnistrobust.comparison.sides import NO_PREDICTION, SCALE
from mnistrobust.comparison.verdict import BETTER, SAME, WORSE, compare, draws_of, labels_of
from mnistrobust.transforms import NOISE_LABEL
from specs.helpers.sides import side


@pytest.fixture(scope="module")
def worse(mnist5k):
    """The new side reads the first 300 inverted digits as the next one, ever more confidently."""
    new = side(mnist5k, wrong={"inverted": 300})
    sure = new.sets["inverted"].confidence.copy()
    sure[0, :300] = SCALE * np.linspace(0.3, 0.89, 300)
    sets = {**new.sets, "inverted": replace(new.sets["inverted"], confidence=sure)}
    return compare(side(mnist5k), replace(new, sets=sets), mnist5k)


def test_better_is_right_of_0_for_every_figure(worse):
    """Also of a loss or a calibration error, of which less is better."""
    (ax,) = page._differences(worse).axes
    points = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "o"]
    named = dict(zip((each.get_text() for each in ax.get_yticklabels()), points, strict=True))

    assert list(named) == [text.cells_of(row)[0] for row in reversed(worse.rows)]
    for row in worse.rows:
        place = named[text.cells_of(row)[0]]
        assert {WORSE: place < 0, BETTER: place > 0, SAME: abs(place) < 0.05}[row.verdict], row.name
    assert {row.figure for row in worse.rows if row.verdict == WORSE} >= {"accuracy", "nll"}


def test_confusion_is_what_the_new_side_does_more_often(worse, mnist5k):
    """Fewer right predictions, and as many more of the next digit."""
    assert page.most_changed(worse) == "inverted"
    (ax,) = page._confusion(worse, "inverted").axes

    lost = np.bincount(mnist5k.test_labels[:300], minlength=10)
    change = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(np.diag(change), -lost)
    np.testing.assert_allclose(change[range(10), (np.arange(10) + 1) % 10], lost)
    shown = {each.get_position()[::-1]: each.get_text() for each in ax.texts}
    assert shown[3, 3] == f"−{lost[3]}"
    assert shown[3, 4] == f"+{lost[3]}"


def test_an_image_counts_once_however_often_it_is_drawn(mnist5k):
    """Offset noise is drawn several times, one after another: mistakes in half the draws are half an image."""
    labels = labels_of("offset-noise", mnist5k)
    draws, half = len(labels) // 1000, len(labels) // 2
    top = labels.copy()
    top[:half] = np.where(np.arange(half) % 1000 < 100, (labels[:half] + 1) % 10, labels[:half])
    old, new = side(mnist5k), side(mnist5k)
    wrong = replace(new.sets["offset-noise"], prediction=top[None].astype(np.uint8))
    found = compare(old, replace(new, sets={**new.sets, "offset-noise": wrong}), mnist5k)

    (ax,) = page._confusion(found, "offset-noise").axes
    lost = np.bincount(mnist5k.test_labels[mnist5k.subset][:100], minlength=10)
    assert draws > 1
    np.testing.assert_allclose(np.diag(np.asarray(ax.images[0].get_array())), -lost / 2)
    images, _ = inputs_named("offset-noise", mnist5k).images, labels
    (ax,) = page._flipped(found, "offset-noise").axes
    shown = [each.get_array() for each in ax.images]
    assert len(shown) == page.FLIPPED // 2
    first = images[:100].reshape(-1, 28, 28)
    assert all((first == each).all(axis=(1, 2)).any() for each in shown)


def test_draws_are_of_a_tenth_of_mnist_or_of_all_held_out_images():
    """MNIST's 10,000 images are no draws of 2,000."""
    mnist = SimpleNamespace(test_labels=range(10_000), subset=range(2_000))

    assert [draws_of(n, mnist) for n in (10_000, 2_000, 16_000)] == [1, 1, 8]


def test_what_is_no_digit_is_another_class(mnist5k):
    """Noise, and NaN or infinity, are counted in one column, and named below each image."""
    new = side(mnist5k)
    top = new.sets["clean"].prediction.copy()
    top[0, :20], top[0, 20:30] = NOISE_LABEL, NO_PREDICTION
    sure = np.where(top > 9, SCALE // 4 + top.astype(int), SCALE // 2).astype(np.uint16)
    clean = replace(new.sets["clean"], prediction=top, confidence=sure)
    found = compare(side(mnist5k), replace(new, sets={**new.sets, "clean": clean}), mnist5k)

    (ax,) = page._confusion(found, "clean").axes
    change = np.asarray(ax.images[0].get_array())
    assert ax.get_xticklabels()[-1].get_text() == "other"
    assert change[:, 10].tolist() == np.bincount(mnist5k.test_labels[:30], minlength=10).tolist()
    (ax,) = page._flipped(found, "clean").axes
    titles = [each.get_text().partition("→ ")[2] for each in ax.texts]
    assert titles[:12] == ["NaN (25%)"] * 10 + ["noise (25%)"] * 2


def test_what_is_nearly_certain_is_not_told_as_certain():
    """Of a prediction below an image."""
    sure = np.array([[0.996 * SCALE]])

    assert (
        page._said(SimpleNamespace(prediction=np.array([[3]]), confidence=sure), 0) == "3 (99.6%)"
    )


def test_lost_images_are_shown_the_most_confident_first(worse, mnist5k):
    """With both predictions; none is gained."""
    (ax,) = page._flipped(worse, "inverted").axes

    titles = [each.get_text() for each in ax.texts]
    labels = mnist5k.test_labels[299 : 299 - len(titles) : -1]
    sure = np.linspace(0.3, 0.89, 300)[::-1]
    assert len(titles) == page.FLIPPED // 2
    assert titles == [
        f"{digit} (90%) → {(digit + 1) % 10} ({confidence:.0%})"
        for digit, confidence in zip(labels.tolist(), sure, strict=False)
    ]
