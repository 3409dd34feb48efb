"""Sweeps of models and recipes: what each dose shows, and what becomes of models that fail."""

import re

import numpy as np
import pytest

from mnistrobust.checks.outputs import ModelError
from mnistrobust.comparison import baselines
from mnistrobust.conditions import condition_named
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.evaluations import Evaluation
from mnistrobust.metrics import share
from mnistrobust.replicates import Replicate, cluster
from mnistrobust.report import console
from mnistrobust.store import Store
from mnistrobust.sweeps.curves import ladder
from mnistrobust.sweeps.sweep import _scores, sweep
from specs.helpers.digit_models import dense
from specs.library.conftest import RECIPE

BRIGHTER = [ladder("brightness", fine=False)]  # 0 to 0.5 in five steps


@pytest.fixture(scope="module")
def fading(mnist5k):
    """A model that is right for a share 1 - 2 b of the images of brightness b, with confidence 0.8.

    It finds each image again among the held-out ones, by some pixels, and predicts the next digit for
    some of them.
    """
    some = slice(100, 700, 6)
    known = mnist5k.test_images[:, some]
    order = np.random.default_rng(0).permutation(len(known)) / len(known)

    def predict(images):
        ink = float(images[0, 0])
        if not 0 <= ink <= 1:
            return np.full((len(images), 10), 0.1)  # of pixels that are tried
        seen = np.clip(known + np.float32(ink), 0, 1)
        distances = (seen**2).sum(axis=1) - 2 * images[:, some] @ seen.T
        found = distances.argmin(axis=1)
        predicted = (mnist5k.test_labels[found] + (order[found] < 2 * ink - 1e-6)) % 10
        return np.where(np.eye(10)[predicted] > 0, 0.8, 0.2 / 9)

    return predict


@pytest.fixture
def swept(mnist5k, tmp_path):
    """Sweep models over brightness with an empty store."""

    def run(given, ladders=BRIGHTER, store=None, **options):
        return sweep(given, ladders, mnist5k.source, store or Store(tmp_path), workers=1, **options)

    return run


def test_a_curve_has_what_the_model_does(fading, swept):
    """Accuracy 1 - 2 b, so half at 0.25; confidence and loss are means over images."""
    curve = swept({"fading": fading}).curves["fading"]["brightness"]

    assert curve.accuracy == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    assert curve.half_dose == pytest.approx(0.25)
    low, high = curve.half_dose_interval
    assert 0.23 < low < 0.25 < high < 0.27
    assert curve.confidence == pytest.approx(np.full((1, 6), 0.8))
    right, wrong = -np.log(0.8), -np.log(0.2 / 9)
    assert curve.nll[0, 1] == pytest.approx(0.8 * right + 0.2 * wrong, rel=1e-5)
    assert curve.failed.sum() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_image_without_a_prediction_counts_as_wrong(bad, fading, swept):
    """NaN and infinity have no confidence and the largest loss, and they are counted."""

    def failing(images):
        outputs = fading(images)
        outputs[(images[:, 0] > 0.25) & (images[:, 0] < 0.35)] = bad
        return outputs

    curve = swept({"failing": failing}).curves["failing"]["brightness"]

    assert curve.accuracy == pytest.approx([1, 0.8, 0.6, 0, 0.2, 0])
    assert curve.confidence[0] == pytest.approx([0.8, 0.8, 0.8, 0, 0.8, 0.8])
    assert curve.nll[0, 3] == 50
    assert curve.failed.tolist() == [[0, 0, 0, 1000, 0, 0]]


def test_a_model_that_raises_is_one_line(fading, swept):
    """With the model, what it raised, and the condition."""

    def raising(images):
        if 0.25 < images[0, 0] < 0.35:
            raise ValueError("too bright")
        return fading(images)

    with pytest.raises(
        ModelError, match=r"raising raised ValueError: too bright .*\(brightness:0\.3"
    ):
        swept({"raising": raising})


def test_nine_classes_are_no_digits(fading, swept):
    """They are refused before anything is swept."""
    with pytest.raises(ModelError, match=r"nine: expected .* or \(300, 11\), received \(300, 9\)"):
        swept({"nine": lambda images: fading(images)[:, :9]})


def test_all_models_see_the_same_images(swept):
    """The noise is drawn once for all; another seed draws another."""
    seen = {}

    def seeing(name):
        def predict(images):
            seen.setdefault(name, []).append(images.copy())
            return np.eye(10)[(images.sum(axis=1) % 10).astype(int)]

        return predict

    noise = [ladder("gaussian-noise:0.1", fine=False)]
    for seed in (0, 1):
        swept({f"{name}{seed}": seeing(f"{name}{seed}") for name in "ab"}, noise, seed=seed)
    last = {name: images[-1] for name, images in seen.items()}

    assert (last["a0"] == last["b0"]).all()
    assert share(last["a0"] != last["a1"]) > 0.3


def test_a_scheduler_is_asked_for_recipes_alone(fading, rehearsal, swept, monkeypatch):
    """With the seeds of the sweep; without one, nobody is."""

    def asked(recipes, seeds, _, __, scheduler, ___):
        raise UsageError(f"{scheduler} trains {recipes} with {seeds}")

    monkeypatch.setattr(cluster, "networks", asked)
    for networks, seeds in ((None, "(0,)"), (2, "(1, 2)")):
        with pytest.raises(
            UsageError, match=re.escape(f"tcp://a:1 trains ['{RECIPE}'] with {seeds}")
        ):
            swept({RECIPE: None}, scheduler="tcp://a:1", networks=networks)
    assert swept({"fading": fading}, scheduler="tcp://a:1").seeds == {"fading": ()}
    assert swept({RECIPE: None}, BRIGHTER[:0], rehearsal.store).seeds == {RECIPE: (0,)}


def test_networks_are_trained_by_so_many_workers(mnist5k, tmp_path, monkeypatch):
    """All recipes of a seed at once."""
    asked = []
    monkeypatch.setattr(
        console, "prepare", lambda _, tasks, workers: asked.append((tasks, workers))
    )
    sweep(
        dict.fromkeys(["ann", RECIPE]), [], mnist5k.source, Store(tmp_path), workers=3, networks=2
    )

    assert [(len(tasks), workers) for tasks, workers in asked] == [(2, 3)] * 2


def test_a_recipe_is_swept_as_its_network_is(rehearsal, swept, capsys):
    """On the same draws; its evaluations are kept, and the second sweep makes none."""
    noise = [ladder("gaussian-noise:0.4", fine=False)]
    given = {RECIPE: None, "network": dense(rehearsal)}

    found = swept(given, noise, rehearsal.store)
    capsys.readouterr()
    again = swept({RECIPE: None}, noise, rehearsal.store)

    recipe, same = (found.curves[name][noise[0].name] for name in given)
    assert (recipe.right == same.right).mean() > 0.999  # ties are broken by rounding
    assert recipe.nll == pytest.approx(same.nll, rel=1e-3)
    assert (again.curves[RECIPE][noise[0].name].right == recipe.right).all()
    assert capsys.readouterr().err == ""
    assert found.seeds == {RECIPE: (0,), "network": ()}


def test_a_recipe_has_several_seeds(fading, rehearsal, mnist5k, swept):
    """Seeds 1 to K, each with its own network and noise; other models have one."""
    given = {RECIPE: None, "fading": fading}
    found = swept(given, [ladder("shift:2", fine=False)], rehearsal.store, networks=2)
    curve = found.curves[RECIPE]["shift:2"]

    assert found.seeds == {RECIPE: (1, 2), "fading": ()}
    assert curve.right.shape == (2, 6, 1000)
    for right, seed in zip(curve.right[:, -1], (1, 2), strict=True):
        predict = dense(Replicate(seed, mnist5k.source, rehearsal.store))
        drawn = condition_named("shift:2").drawn(mnist5k, seed)
        alone = [predict(images).argmax(axis=1) == labels for images, labels in drawn]
        assert (right == np.mean(alone, axis=0)).mean() > 0.99  # ties are broken by rounding
    assert found.curves["fading"]["shift:2"].right.shape == (1, 6, 1000)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ann_nosy", {}, "Unknown recipe 'ann_nosy': did you mean 'ann_noisy'?"),
        ("kept", {}, "kept: it holds predictions and no model; a sweep needs the model itself"),
        ("my.npz", {}, "my.npz: it holds predictions and no model; a sweep"),
        ("gone.onnx", {}, "gone.onnx: no such file"),
        ("my:predict", {"networks": 3}, "--seeds 3: expected a recipe"),
    ],
)
def test_what_is_no_model_is_said(name, options, said, tmp_path, swept):
    """Before anything is trained, opened or predicted."""
    store = Store(tmp_path / "store")
    kept = baselines.model_file("kept", store)
    kept.parent.mkdir()
    kept.touch()

    with pytest.raises(UsageError, match="^" + said.replace("?", r"\?")):
        swept({"json:dumps": "json:dumps", name: name}, store=store, **options)


def test_clean_digits_are_those_that_perturbations_show(mnist5k):
    """Of a set with more images than they show, the fixed subset."""
    arrays = {name: np.tile(each.T, 3).T for name, each in mnist5k.arrays.items()}
    many = Dataset(mnist5k.source, arrays)
    right = np.zeros(len(many.test_labels), bool)
    right[many.subset[::2]] = True
    predictions = np.where(right, many.test_labels, 10).astype(np.uint8)
    values = {"confidence": right[None] / 2, "losses": right[None] * 3.0, "seed": 0, "classes": 11}
    names = {"recipe": "ann", "condition": "clean", "dataset": "many", "input_shape": (784,)}
    clean = Evaluation(
        labels=many.test_labels[None], predictions=predictions[None], **values, **names
    )

    found, confidence, nll, failed = _scores(clean, many)

    assert (found.tolist(), failed) == ([1, 0] * (len(many.subset) // 2), 0)
    assert (confidence, nll) == (0.25, 1.5)


def test_json_says_where_it_comes_from(fading, swept):
    """Versions, data, reference and units stand beside the curves."""
    found = swept({"fading": fading}).to_json()

    assert found["schema"] == 1
    assert found["dataset"]["name"] == "mnist5k"
    assert found["reference"] == "ann"
    assert found["units"]["brightness"].startswith("ink")
    model = found["models"]["fading"]
    assert model["accuracy_by_severity"] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    assert model["curves"]["brightness"]["half_dose"] == pytest.approx(0.25)
    assert 1 < model["relative_error"] < 3
