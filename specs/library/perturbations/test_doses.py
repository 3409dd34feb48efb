"""Names with doses, and perturbations of one's own."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.conditions import condition_named
from mnistrobust.errors import DoseError, ImageError, MnistRobustError, UsageError
from mnistrobust.fuzzing.perturbations import check_perturbation
from mnistrobust.perturbations import (
    PERTURBATIONS,
    definition,
    dosed,
    geometry,
    perturbation,
    perturbation_named,
)
from mnistrobust.replicates import Replicate, keys

OWN = """
from mnistrobust.perturbations import perturbation


@perturbation(unit="share", doses=(0, 1), severities=(0.1, 0.2, 0.3, 0.4, 0.5), reads="all")
def fade(images, dose, _):
    \"\"\"Take ink off everywhere.\"\"\"
    return (1 - dose) * images
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a module of one's own, `my_fading`, which is forgotten afterwards."""
    (tmp_path / "my_fading.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(definition, "_registered", {**PERTURBATIONS})
    yield tmp_path
    sys.modules.pop("my_fading", None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rotate:15", "rotate:15"),
        ("rotate:15.0", "rotate:15"),
        ("rotate:-1e1", "rotate:-10"),
        ("blur:.5", "blur:0.5"),
        ("shot-noise:0.016666666666666666", "shot-noise:0.016666666666666666"),
        ("inverted:1", "inverted:1"),
        ("inverted", "inverted"),
    ],
)
def test_one_dose_has_one_name(text, name):
    """A condition is named alike however its dose is written, without losing a digit."""
    assert condition_named(text).name == name


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("rotat:15", UsageError, "Unknown perturbation 'rotat': did you mean 'rotate'?"),
        ("rotat", UsageError, "Unknown condition 'rotat': did you mean 'rotate'?"),
        ("rotate", DoseError, "rotate: expected a dose from -180 to 180 (degrees counter-clockwise), such as rotate:23."),
        ("rotate:", DoseError, "rotate:: expected a dose from -180"),
        ("rotate:far", DoseError, "rotate:far: expected a dose from -180"),
        ("rotate:181", DoseError, "rotate:181.0: expected a dose from -180"),
        ("blur:-1", DoseError, "blur:-1.0: expected a dose from 0 to 6"),
        ("blur:nan", DoseError, "blur:nan: expected a dose from 0 to 6"),
        ("clean:1", UsageError, "Unknown perturbation 'clean'"),
        ("no_such_module:f:1", UsageError, "no_such_module:f: importing 'no_such_module' raised ModuleNotFoundError"),
        ("sys:exit:1", UsageError, "Unknown perturbation 'sys:exit': "),
    ],
)  # fmt: skip
def test_a_wrong_name_or_dose_is_one_line(text, kind, said):
    """The line says what was expected: the range and the unit, or the nearest name."""
    with pytest.raises(kind) as caught:
        condition_named(text)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, MnistRobustError)


def test_a_perturbed_condition_shows_the_fixed_images(mnist5k):
    """Each image of the fixed subset once, with its label, perturbed by the stated dose."""
    ((images, labels),) = condition_named("rotate:90").drawn(mnist5k, 0)
    before = mnist5k.test_images[mnist5k.subset].reshape(-1, 28, 28)

    np.testing.assert_allclose(images.reshape(-1, 28, 28), np.rot90(before, 1, (1, 2)), atol=1e-6)
    np.testing.assert_array_equal(labels, mnist5k.test_labels[mnist5k.subset])
    assert images.dtype == np.float32


def test_a_shared_draw_is_drawn_eight_times(mnist5k):
    """What images share is one sample of the noise however many images there are."""
    draws = [images[0] for images, _ in condition_named("offset-noise:1").drawn(mnist5k, 0)]

    assert len({each.tobytes() for each in draws}) == len(draws) == 8


def test_every_dose_has_the_same_noise_and_every_seed_its_own(mnist5k):
    """A curve over doses is not shaken by other draws."""
    noise = {}
    for dose, seed in ((0.25, 0), (0.5, 0), (0.5, 1)):
        ((images, _),) = condition_named(f"uniform-noise:{dose}").drawn(mnist5k, seed)
        blank = mnist5k.test_images[mnist5k.subset] == 0
        noise[dose, seed] = (images / dose)[blank]

    np.testing.assert_allclose(noise[0.25, 0], noise[0.5, 0], atol=1e-6)
    assert np.abs(noise[0.5, 0] - noise[0.5, 1]).mean() > 0.2


def test_an_evaluation_is_kept_for_each_dose(rehearsal):
    """A dose is in the evaluation's name and key; one dose, however written, is one evaluation."""
    slight, strong = (rehearsal.evaluate("ann_1000", on=f"rotate:{dose}") for dose in (0, 90))
    again = Replicate(0, rehearsal.source, rehearsal.store)

    assert (slight.condition, slight.draws) == ("rotate:0", [slight.accuracy])
    assert strong.accuracy < 0.5 < slight.accuracy
    assert rehearsal.evaluate("ann_1000", on="rotate:90.0") is strong
    assert again.stored_evaluation("ann_1000", on="rotate:9e1").accuracy == strong.accuracy
    assert ":" not in rehearsal.evaluation_key("ann_1000", "rotate:90").name


@pytest.mark.usefixtures("own")
def test_ones_own_is_named_by_its_module(mnist5k):
    """It is imported by its name, keeps the laws, and has a dose in a condition."""
    condition = condition_named("my_fading:fade:0.5")
    fade = perturbation_named("my_fading:fade")
    ((images, _),) = condition.drawn(mnist5k, 0)

    assert (condition.name, fade.summary) == ("my_fading:fade:0.5", "Take ink off everywhere")
    np.testing.assert_allclose(images, mnist5k.test_images[mnist5k.subset] / 2)
    assert dosed("my_fading:fade:1") == (fade, 1)
    check_perturbation(fade)


def test_the_source_of_ones_own_is_in_the_key(own):
    """A changed module makes its evaluations anew."""
    condition = condition_named("my_fading:fade:0.5")
    before = keys.evaluation_code(condition)
    keys.evaluation_code.cache_clear()
    assert keys.evaluation_code(condition) == before

    keys.evaluation_code.cache_clear()
    (own / "my_fading.py").write_text(OWN.replace("(1 - dose)", "(1 - dose / 2)"))
    assert keys.evaluation_code(condition) != before


def test_perturbations_travel_to_other_processes():
    """A worker is sent the name, and finds the function there."""
    rotate = PERTURBATIONS["rotate"]

    assert pickle.loads(pickle.dumps(rotate)) is rotate  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(condition_named("rotate:15"))).name == "rotate:15"  # noqa: S301


@pytest.mark.parametrize(
    ("doses", "severities"),
    [
        ((0, 1), (0.1, 0.2, 0.3, 0.4)),
        ((0, 1), (0.1, 0.3, 0.2, 0.4, 0.5)),
        ((0, 1), (0.2, 0.4, 0.6, 0.8, 1.2)),
        ((1, 2), (1.1, 1.2, 1.3, 1.4, 1.5)),
        ((0, 1), (0, 0, 0, 0, 0)),
        ((0, 1), (0, 0.1, 0.2, 0.3, 0.4)),
        ((0, 4), (1, 1, 2, 3, 4)),
    ],
)
def test_five_severities_ascend_within_the_range(doses, severities):
    """A definition that does not fit is refused where it is made, and is not registered."""
    define = perturbation(unit="share", doses=doses, severities=severities, reads="all")

    with pytest.raises(DoseError, match="expected five ascending severities"):
        define(lambda images, _, __: images)
    assert not [name for name in PERTURBATIONS if "lambda" in name]


def test_a_function_that_returns_another_shape_is_named(own):
    """The line names the function that returned something else than its images."""
    (own / "my_fading.py").write_text(OWN.replace("(1 - dose) * images", "images[0]"))
    fade = perturbation_named("my_fading:fade")

    with pytest.raises(ImageError, match=r"my_fading:fade: expected images \(2, 28, 28\)"):
        fade(np.zeros((2, 784)), 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("dose", [5e-324, 1e-12, 1e-9])
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_hardly_any_of_a_perturbation_is_hardly_a_change(name, dose):
    """No dose is too small to have a number for each pixel."""
    images = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 784)
    after = PERTURBATIONS[name](images, dose, np.random.default_rng(0))

    np.testing.assert_allclose(after, images, atol=3e-3)  # half a level, and a row less


@pytest.mark.parametrize("rows", range(2, 29))
def test_pixelate_leaves_as_many_rows_as_its_dose_says(rows):
    """A share of k rows of 28 is k rows, also where a float falls short of it."""
    after = geometry.pixelate(np.eye(28)[None], 1 - rows / 28, None)

    assert np.linalg.matrix_rank(after[0]) == rows


def test_a_motion_of_a_pixel_is_seen_from_two_places():
    """A quarter of a pixel to either side, along a level line: no more of them, and no fewer."""
    dot = np.zeros((1, 28, 28))
    dot[0, 12, 17] = 1
    level = SimpleNamespace(uniform=lambda _, __, shape: np.zeros(shape))

    after = geometry.motion_blur(dot, 1, level)

    np.testing.assert_allclose(after[0, 12, 15:20], [0, 0.125, 0.75, 0.125, 0], atol=1e-9)
