"""The catalogue of laws sees what is wrong with a transform, and shows it on a small image."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import settings
from scipy import ndimage

from mnistrobust import transforms
from mnistrobust.errors import UsageError
from mnistrobust.fuzzing import LAWS, check_transform, perturbations
from mnistrobust.fuzzing.laws import KEPT
from mnistrobust.fuzzing.perturbations import check_perturbation
from mnistrobust.fuzzing.strategies import make_frame, make_images
from mnistrobust.perturbations import PERTURBATIONS
from specs.helpers import ROOT


def crop(x):
    return x[:, 1:, 1:]


def widen(x):
    return x.astype("float64") / 2


def darken_in_place(x):
    x *= 0.5
    return x


def brighten(x):
    return x * 1.3


def centre_on_the_set(x):
    return np.abs(x - x.mean(axis=0))


def ignore_the_strides(x):
    plain = np.empty(x.shape, x.dtype).strides
    return np.lib.stride_tricks.as_strided(x, x.shape, plain).copy()


def redraw(x):
    return x * np.float32(np.random.default_rng().random())


def toss(x):
    return x * (random.random() < 2)


def flip_rows(x):
    return x[:, ::-1].copy()


def forget_the_frame(x):
    return np.array(x)


def rotate_about_a_corner(x):
    c, s = np.cos(0.3), np.sin(0.3)
    return ndimage.affine_transform(x, [[1, 0, 0], [0, c, -s], [0, s, c]], order=1)


WRONG = {
    "shape": crop,
    "dtype": widen,
    "input": darken_in_place,
    "range": brighten,
    "alone": centre_on_the_set,
    "layout": ignore_the_strides,
    "repeatable": redraw,
    "generators": toss,
    "shapes": flip_rows,
    "frames": forget_the_frame,
    "half_turn": rotate_about_a_corner,
}


@pytest.mark.parametrize("law", LAWS)
def test_a_transform_that_breaks_a_law_is_shown_on_a_small_image(law):
    """The message names transform and law, and its code repeats the failure on its own."""
    wrong = WRONG[law]
    with pytest.raises(AssertionError) as caught:
        check_transform(wrong, [law])

    message = str(caught.value)
    assert message.startswith(f"{wrong.__name__} breaks the law '{law}' ({LAWS[law].__doc__}): ")
    code = re.search(r"\n\n((?:    .*\n?|\n)+)$", message)[1].replace("    ", "")
    assert f"\n{wrong.__name__}(images)" in code
    names = {wrong.__name__: lambda images: images}
    exec(code, names)  # noqa: S102 - what a reader pastes
    images = names["images"]
    assert ("  # all 0\n" in code, "  # 0, but [0" in code)[int(np.any(images))]
    assert len(images) <= 2
    assert np.count_nonzero(images) <= 4
    assert LAWS[law](wrong, images)


def dim(x, by):
    return x - by


@pytest.mark.parametrize("transform", [lambda x: x - 0.1, partial(dim, by=0.1)])
def test_a_transform_without_a_name_is_the_readers(transform):
    """No name that their code lacks is called, without a word on whose it is."""
    with pytest.raises(AssertionError) as caught:
        check_transform(transform, ["range"])

    assert str(caught.value).startswith("Your transform breaks the law 'range'")
    assert str(caught.value).endswith("\n    transform(images)  # your transform")


@pytest.mark.parametrize("law", ["shape", "dtype", "range", "alone"])
@pytest.mark.parametrize(("returned", "said"), [(None, "None"), ([2.0], "a list")])
def test_what_is_no_array_is_said_to_be_returned(returned, said, law):
    """Instead of a shape, or of what NumPy raises at it."""
    with pytest.raises(AssertionError, match=rf"\): it returns {said}\."):
        check_transform(lambda _: returned, [law])


def test_one_image_is_shown_where_one_suffices():
    """Though what shrinks from two images stays at two."""
    with pytest.raises(AssertionError, match=r"make_images\(n=1, ink=1, "):
        check_transform(lambda x: x * 1.3, ["range"])


def in_the_order_of_memory(x):
    return x.ravel(order="K").reshape(x.shape)


def forget_the_index(frame):
    return frame.reset_index(drop=True)


def drift(x):
    drift.by = 1e-6 - drift.by
    return x * (1 + drift.by)


drift.by = 0


@pytest.mark.parametrize(
    ("law", "transform", "images", "says"),
    [
        ("layout", in_the_order_of_memory, make_images(2, 0, layout="fortran"), "pixel [0, 1] is"),
        ("frames", forget_the_index, make_frame(2, 0, index="text"), "index or columns change"),
        ("repeatable", drift, make_images(1, 0, dtype="float64"), "pixel [0, 0] is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_law_sees_a_small_fault(law, transform, images, says):
    """Of one layout alone, of the index alone, or in the sixth digit."""
    assert LAWS[law](transform, images).startswith(says)


def flat(images, dose, _):
    """Hardly any dose between 0.3 and 0.9 counts."""
    return images * (1 - (0.3 if 0.3 < dose < 0.9 else dose))


@dataclass(frozen=True)
class Wrong:
    """A perturbation that keeps no promise of `Perturbation`."""

    function: Callable[..., np.ndarray]
    doses: tuple[float, float] = (0, 1)
    severities: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1)
    ceiling: float = 1
    shared: bool = False

    def __call__(self, images, dose, rng):
        return self.function(images, dose, rng)


@pytest.mark.parametrize(
    ("law", "function", "says"),
    [
        ("zero_is_the_identity", lambda x, *_: x - (x > 0.99), "dose 0 changes images: 17 pixels"),
        ("zero_is_the_identity", lambda x, *_: x, "dose 0 shares memory"),
        ("range_is_kept", lambda x, *_: -x, "a pixel of -0.9"),
        ("range_is_kept", lambda x, *_: 2 * np.clip(x, 0, 1), "a pixel of 1.9"),
        ("range_is_kept", lambda x, *_: np.clip(x, 0, 2) / 2, "pixels are not cut"),
        ("images_are_independent", lambda x, *_: x - x.mean(axis=0), "what comes after it"),
        ("images_are_independent", lambda x, *_: np.cumsum(x, axis=0), "what comes before it"),
        ("each_image_has_a_draw", lambda x, _, rng: x + rng.random(), "images share a draw"),
        ("distortion_grows", lambda x, *_: 1 - x, "it is [0."),
        ("distortion_grows", lambda x, dose, _: x * (1.2 - dose), "it is [0.0, "),
        ("every_dose_counts", flat, "doses 0.45 and 0.6 do the same"),
        ("wrong_doses_are_refused", lambda x, *_: x, "is taken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_perturbation_that_breaks_a_law_is_told_by_it(law, function, says):
    """In words that say how."""
    images = make_images(2, 0, "uniform", dtype="float64")

    with pytest.raises(AssertionError, match=re.escape(says)):
        getattr(perturbations, law)(Wrong(function), images, 0.6, 0)


def test_the_pages_example_fails_as_the_page_says():
    """Its code runs, and the first line of the failure is the page's."""
    page = (ROOT / "mnistrobust" / "fuzzing" / "README.md").read_text("utf-8")
    code, said = re.findall(r"```(?:python)?\n(.*?)```", page, re.DOTALL)[:2]
    names = {}
    exec(code, names)  # noqa: S102
    with pytest.raises(AssertionError) as caught:
        names["test_brighten"]()

    assert str(caught.value).splitlines()[0].rpartition(":")[0] in said


@pytest.mark.parametrize(
    "transform",
    [transforms.invert, transforms.offset_noise, lambda x, rng: x * rng.random()],
    ids=["invert", "offset noise", "random"],
)
def test_a_transform_that_keeps_a_law_passes(transform):
    """A generator is drawn for it where it takes one; `keeps` says which laws count."""
    check_transform(transform, ["shape", "dtype", "input", "alone", "repeatable", "generators"])


def test_a_generator_is_no_argument_of_those_that_a_transform_may_take():
    """Only of a second one that it has to take: a factor is none."""

    def scaled(x, *factors, **more):
        assert (factors, more) == ((), {})
        return x.copy()

    check_transform(scaled, ["shape"])


def test_a_random_transform_is_repeated_with_its_seed():
    """The code to paste has the generator too."""

    def noise_for_each(x, rng):
        return x + rng.random(x.shape).astype(x.dtype)

    with pytest.raises(AssertionError, match=r"noise_for_each\(images, np.random.default_rng\(0\)"):
        check_transform(noise_for_each, ["alone"])


def test_an_error_of_the_transform_breaks_any_law():
    """It is named, with an example that raises it."""

    def fail_on_ink(x):
        if x.any():
            raise KeyError("ink")
        return x.copy()

    with pytest.raises(AssertionError, match=r"'dtype'.*: it raises KeyError: 'ink'") as caught:
        check_transform(fail_on_ink, ["dtype"])
    assert "make_images(n=1, ink=1, " in str(caught.value)


@pytest.mark.slow
def test_a_transform_of_square_images_is_checked_by_eight_laws():
    """Nobody has to name them; frames, other shapes and turned images are for who asks."""
    assert set(LAWS) - set(KEPT) == {"shapes", "frames", "half_turn"}
    check_transform(lambda x: x[:, ::-1].copy())
    with pytest.raises(AssertionError, match="toss breaks the law 'generators'"):
        check_transform(toss)


def test_an_unknown_law_is_named():
    """With the nearest that there is."""
    with pytest.raises(UsageError, match="Unknown law 'shap': did you mean 'shape"):
        check_transform(transforms.invert, ["shap"])


@pytest.mark.parametrize(
    ("check", "checked"), [(check_transform, np.copy), (check_perturbation, PERTURBATIONS["fade"])]
)
def test_time_breaks_no_law(check, checked):
    """Outside our suite, hypothesis gives an example 200 ms, which a busy machine exceeds."""
    usual = settings.get_current_profile_name()
    settings.register_profile("hasty", deadline=0.001, max_examples=5)
    settings.load_profile("hasty")
    try:
        check(checked)
    finally:
        settings.load_profile(usual)
