"""What the page shows of a network: its figures, its mistakes, and the commands for more."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from mnistrobust.conditions import CONDITIONS
from mnistrobust.data.dataset import Dataset
from mnistrobust.evaluations import Evaluation
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate
from mnistrobust.report import networks, page, pictures
from mnistrobust.store import Store
from specs.helpers.reports import run


def test_the_same_digits_stand_under_each_condition(mnist5k, monkeypatch):
    """Also where offset noise is drawn on some of the held-out images only, as on full MNIST."""
    held_out = {"x_test": mnist5k.arrays["x_train"], "y_test": mnist5k.arrays["y_train"]}
    source = replace(mnist5k.source, digest="of more images")
    dataset = Dataset(source, {**mnist5k.arrays, **held_out})
    monkeypatch.setattr(pictures.data, "load", lambda _: dataset)
    monkeypatch.setattr(pictures, "address", lambda image: image)
    chosen = {name: CONDITIONS[name] for name in ("clean", "offset-noise")}
    monkeypatch.setattr(pictures, "CONDITIONS", chosen)

    clean, noisy = pictures.strips(source, 5)

    assert 10 < len(dataset.subset) < len(dataset.test_labels)
    assert [each["says"] for each in clean["pictures"]] == [f"a {digit}" for digit in range(10)]
    shown = [np.stack([each["address"] for each in one["pictures"]]) for one in (clean, noisy)]
    offset = shown[1] - shown[0]
    np.testing.assert_allclose(offset, offset[:1].repeat(10, axis=0), atol=1e-6)


@pytest.mark.parametrize(("seed", "condition"), [(0, "clean"), (3, "offset-noise")])
def test_the_most_confident_mistakes_come_first(seed, condition, mnist5k):
    """Each with its own image, its label, the prediction and the confidence; right ones never."""
    labels = mnist5k.test_labels.astype(np.uint8)[None]
    predictions, confidence = labels.copy(), np.full(labels.shape, 0.99, np.float32)
    predictions[0, [3, 7, 9]] = (labels[0, [3, 7, 9]] + 1) % 10
    confidence[0, [3, 7, 9]] = (0.5, 0.9, 0.7)
    facts = {"recipe": "ann", "condition": condition, "seed": seed, "dataset": "mnist5k"}
    images, _ = next(CONDITIONS[condition].drawn(mnist5k, seed))
    evaluation = Evaluation(
        labels=labels, predictions=predictions, confidence=confidence, losses=confidence,
        input_shape=(784,), classes=10, **facts,
    )  # fmt: skip

    found = pictures.mistakes(mnist5k.source, evaluation)

    assert found == [
        {
            "address": pictures.address(images[place]),
            "says": f"a {labels[0, place]}, predicted a {predictions[0, place]}",
            "confidence": pictures._percent(share),
        }
        for place, share in ((7, 0.9), (9, 0.7), (3, 0.5))
    ]


def test_a_picture_is_drawn_without_latex(tmp_path):
    """Which many have switched on: it is not always there, and reads 5% as the start of a comment."""
    with mpl.rc_context({"text.usetex": True}):
        drawn, (ax,) = pictures.figure(2, 1)
        ax.set_title("5% of _x")

        pictures.save(drawn, "--picture", tmp_path / "drawn.png")
        assert pictures.picture(drawn).startswith("data:image/png;base64,")
    assert (tmp_path / "drawn.png").stat().st_size > 1000


def test_a_networks_figures_are_those_of_its_evaluations(rehearsal):
    """Accuracy on each condition with digits, confidence on noise, and each label's predictions."""
    recipe, clean = rehearsal.recipes["ann_1000"], rehearsal.evaluate("ann_1000", on="clean")
    found = networks._network(rehearsal, recipe, rehearsal.trained("ann_1000"), False)

    shown = {each["condition"]: each for each in found["seen"]}
    assert found["accuracies"][0] == clean.accuracy
    assert found["confident_of_noise"] == rehearsal.evaluate("ann_1000", on="pure-noise").confident
    fours = clean.predictions[clean.labels == 4]
    assert shown["clean"]["confusion"][4] == [round(100 * np.mean(fours == k)) for k in range(10)]
    assert f"accuracy {clean.accuracy:.4f}, loss {clean.loss:.3f}" in shown["clean"]["figures"]


@pytest.mark.parametrize(
    ("seeds", "verify", "where"),
    [
        ((0,), "", ""),
        ((3,), " --seeds 3-3", " --seed 3"),
        ((10001, 10002), " --seeds 10001-10002", " --seed 10001"),
    ],
)
def test_commands_on_the_page_have_the_seeds_of_the_run(seeds, verify, where):
    """Whoever runs them again gets the same run, and the same network."""
    results = run(seeds=seeds)

    assert page.command(results) == f"mnistrobust verify --data mnist5k{verify}"
    assert page._where(results) == f" --data mnist5k{where}"


def test_a_gallery_of_an_empty_store_names_what_is_missing(mnist5k, tmp_path):
    """Every recipe is missing, nothing is trained, and the conditions are shown all the same."""
    store = Store(tmp_path)
    found = networks.gallery(Replicate(3, mnist5k.source, store))

    assert (found["networks"], found["missing"], found["excuse"]) == ([], [*RECIPES], None)
    assert store.entries() == []
    images, labels = pictures.first_draw(mnist5k.source, 3, "offset-noise")
    shown = {each["condition"]: each["pictures"] for each in found["strips"]}
    assert [*shown] == [*CONDITIONS]
    assert shown["offset-noise"][4] == {
        "address": pictures.address(images[labels.tolist().index(4)]),
        "says": "a 4",
    }
    assert {each["says"] for each in shown["pure-noise"]} == {"noise"}


def test_a_data_set_that_is_gone_is_an_excuse(mnist5k, tmp_path):
    """The gallery has no pictures, and says why."""
    source = replace(mnist5k.source, name="mnist", path=str(tmp_path / "gone.npz"))

    found = networks.gallery(Replicate(0, source, Store(tmp_path / "store")))

    assert found["strips"] == []
    assert "gone.npz" in found["excuse"]


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100"), (0.9999, "99.99"), (0.995, "99.50"), (0.5, "50.00")]
)
def test_only_certainty_is_100_percent(share, said):
    """A mistake of 99.99% is not told as one of 100%."""
    assert pictures._percent(share) == f"{said}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100%"), (0.9996, "99.96%"), (0.996, "99.6%"), (0.994, "99%"), (0.5, "50%")],
)
def test_a_short_share_is_longer_where_it_would_be_100_percent(share, said):
    """Under a small picture there is no room for more."""
    assert pictures.percent(share) == said


def test_confidence_of_right_and_wrong_predictions_is_told_apart(rehearsal):
    """The numbers of both are those of the evaluation."""
    recipe, clean = rehearsal.recipes["ann_1000"], rehearsal.evaluate("ann_1000", on="clean")
    found = networks._network(rehearsal, recipe, rehearsal.trained("ann_1000"), False)

    chart = found["seen"][0]["charts"]["Confidence, right against wrong"]
    right = int((clean.predictions == clean.labels).sum())
    assert f"right: {right:,} images" in chart
    assert f"wrong: {clean.n - right:,} images" in chart


def test_each_group_of_digits_begins_a_row(mnist5k):
    """An image stands below its title, white is 1 or what is brighter, and none covers another."""
    images = mnist5k.test_images[:8] * np.linspace(0.5, 2, 8, dtype=np.float32)[:, None]
    groups = [(images[:5], "abcde", "red"), (images[5:], "fgh", "blue")]

    drawn = pictures.digits(9, 1.25, 4, groups)

    (ax,) = drawn.axes
    assert drawn.get_size_inches().tolist() == [9, 3 * 1.25]
    spans = [each.get_extent() for each in ax.images]
    step = 9 / 4  # an image is an inch wide here
    assert [(left, top) for left, _, _, top in spans] == [
        (step * column, 1.25 * row) for row, columns in ((0, 4), (1, 1), (2, 3)) for column in range(columns)
    ]  # fmt: skip
    for text, (left, right, bottom, top), image in zip(ax.texts, spans, images, strict=True):
        assert (right - left, bottom - top) == pytest.approx((1, 1))
        assert text.get_position() == pytest.approx((left + 0.5, top - 0.04))
        assert image.max() <= ax.images[ax.texts.index(text)].get_clim()[1] == max(1, image.max())
    assert [each.get_text() for each in ax.texts] == list("abcdefgh")
    assert [each.get_color() for each in ax.texts] == ["red"] * 5 + ["blue"] * 3
    assert pictures.digits(9, 1, 4, [(images[:0], [], "red")]).get_size_inches().tolist() == [9, 1]
