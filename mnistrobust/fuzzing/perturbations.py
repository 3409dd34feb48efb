"""Laws of perturbations, ours and yours: what each keeps, whatever it does to the pixels.

A law takes a perturbation, a set of images, a dose in range and a seed, and raises AssertionError
where the perturbation breaks it. `check_perturbation` holds a perturbation to all of them.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust import data
from mnistrobust.errors import DoseError
from mnistrobust.fuzzing import laws
from mnistrobust.fuzzing.strategies import doses, frames, images, make_images, seeds
from mnistrobust.perturbations import Perturbation
from mnistrobust.randomness import stream

Law = Callable[[Perturbation, Any, float, int], None]

_DIGITS = 40  # over which a distortion is averaged
_ALIKE = 32  # a draw with four outcomes gives fewer than three of them once in 1e9 times
_GAP = 0.15  # of the range: a step of the coarsest dose, a bit of seven


def check_perturbation(perturbation: Perturbation) -> None:
    """Hold a perturbation to every law, on a tenth of the profile's examples.

    Raises AssertionError with the example and the law where one is broken.
    """

    @settings(max_examples=max(3, settings().max_examples // 10), deadline=None)
    @given(st.one_of(images(), frames()), doses(perturbation), seeds())
    def holds(images: Any, dose: float, seed: int) -> None:
        for law in LAWS:
            try:
                law(perturbation, images, dose, seed)
            except Exception as error:
                error.add_note(f"Law of {perturbation.name}, broken at {dose:g}: {law.__name__}")
                raise

    holds()


def zero_is_the_identity(perturbation: Perturbation, images: Any, _: float, seed: int) -> None:
    """Dose 0 returns the same bytes in new memory."""
    after = perturbation(images, 0, _rng(seed))
    _assert_same(after, images, "dose 0 changes images")
    assert not np.shares_memory(np.asarray(after), np.asarray(images)), "dose 0 shares memory"


def laws_of_transforms_are_kept(
    perturbation: Perturbation, images: Any, dose: float, seed: int
) -> None:
    """At a dose and with a seed, it is a transform that keeps the other catalogue of laws."""

    def transform(pixels: Any) -> Any:
        return perturbation(pixels, dose, _rng(seed))

    of_arrays = ("shape", "dtype", "layout", "repeatable", "generators", "shapes")
    cases: dict[str, Any] = dict.fromkeys(of_arrays, np.asarray(images))
    cases |= dict.fromkeys(("input", "frames")[: 1 + isinstance(images, pd.DataFrame)], images)
    for name, case in cases.items():
        problem = laws.LAWS[name](transform, case)
        assert not problem, f"the law {name!r} ({laws.LAWS[name].__doc__}): {problem}"


def range_is_kept(perturbation: Perturbation, images: Any, dose: float, seed: int) -> None:
    """Pixels end in [0, ceiling], and what they are beyond [0, 1] before changes nothing."""
    after = np.asarray(perturbation(images, dose, _rng(seed)))
    assert np.isfinite(after).all(), "NaN or infinity"
    lowest, highest = after.min(initial=0), after.max(initial=0)
    assert lowest >= 0, f"a pixel of {lowest}"
    assert highest <= perturbation.ceiling, f"a pixel of {highest}"
    beyond = 3 * np.asarray(images) - 1
    if dose:
        cut = perturbation(np.clip(beyond, 0, 1), dose, _rng(seed))
        _assert_same(perturbation(beyond, dose, _rng(seed)), cut, "pixels are not cut to [0, 1]")


def images_are_independent(perturbation: Perturbation, images: Any, dose: float, seed: int) -> None:
    """An image depends neither on the others nor on how many come after it."""
    pixels = np.asarray(images)
    after = np.asarray(perturbation(pixels, dose, _rng(seed)))
    cut = len(pixels) // 2
    part = perturbation(pixels[:cut], dose, _rng(seed))
    _assert_same(part, after[:cut], "an image depends on what comes after it")
    others = pixels.copy()
    others[:cut] = 1 - others[:cut]
    after_others = np.asarray(perturbation(others, dose, _rng(seed)))
    _assert_same(after_others[cut:], after[cut:], "an image depends on what comes before it")


def each_image_has_a_draw(perturbation: Perturbation, _: Any, __: float, seed: int) -> None:
    """Each image has a draw of its own, or all share one where the perturbation says so."""
    dose = perturbation.severities[seed % len(perturbation.severities)]
    alike = np.repeat(make_images(1, seed, "uniform"), _ALIKE, axis=0)
    after, other = (perturbation(alike, dose, _rng(each)) for each in (seed, seed + 1))
    different = len({each.tobytes() for each in after})
    if perturbation.shared or (after == other).all():
        assert different == 1, "equal images differ, against what the perturbation says"
    else:
        assert different > 2, "images share a draw"


def distortion_grows(perturbation: Perturbation, _: Any, __: float, seed: int) -> None:
    """The mean square of the change, over digits, grows with the severities, to either side.

    As draws differ, it may fall by a twentieth from one to the next; the last is half as much again
    as the first.
    """
    low, high = perturbation.doses
    for side in (1, -1):
        ladder = (side * dose for dose in perturbation.severities if low <= side * dose <= high)
        after = (perturbation(_digits(), dose, _rng(seed)) for dose in ladder)
        changes = [float(((each - _digits()) ** 2).mean()) for each in after]
        if changes:
            assert 0 < 1.5 * changes[0] < changes[-1], f"it is {changes}"
            assert all(more > 0.95 * less for less, more in pairwise(changes)), f"it is {changes}"


def every_dose_counts(perturbation: Perturbation, _: Any, dose: float, seed: int) -> None:
    """Two doses give two results, up to both ends of the range."""
    images = make_images(2, seed, "uniform")
    low, high = perturbation.doses
    nearer = max(dose - _GAP * high, 0) if dose >= 0 else min(dose - _GAP * low, 0)
    pairs = [(0.95 * end, end) for end in (low, high) if end]
    pairs += [(nearer, dose)] if abs(dose) >= _GAP * (high if dose > 0 else -low) > 0 else []
    for one, two in pairs:
        results = [perturbation(images, each, _rng(seed)) for each in (one, two)]
        assert (results[0] != results[1]).any(), f"doses {one:g} and {two:g} do the same"


def wrong_doses_are_refused(perturbation: Perturbation, images: Any, _: float, seed: int) -> None:
    """A dose out of range, or that is no number, is an error that names the range."""
    low, high = perturbation.doses
    beyond = (np.nextafter(low, -np.inf), np.nextafter(high, np.inf))
    for dose in (*beyond, float("nan"), float("inf"), "1", None, True):
        said = f"a dose of {dose!r} is taken"
        try:
            perturbation(images, dose, _rng(seed))  # type: ignore[arg-type]
        except DoseError as error:
            said = str(error)
        assert f"from {low:g} to {high:g}" in said, said


LAWS: tuple[Law, ...] = (
    zero_is_the_identity,
    laws_of_transforms_are_kept,
    range_is_kept,
    images_are_independent,
    each_image_has_a_draw,
    distortion_grows,
    every_dose_counts,
    wrong_doses_are_refused,
)


def _rng(seed: int) -> np.random.Generator:
    return stream(seed, "laws")  # not the numbers that `make_images` draws from this seed


@cache
def _digits() -> np.ndarray:
    return np.asarray(data.load(data.decide("mnist5k")).test_images[:_DIGITS])


def _assert_same(after: Any, before: Any, otherwise: str) -> None:
    one, two = np.asarray(after), np.asarray(before)
    assert one.tobytes() == two.tobytes(), f"{otherwise}: {int((one != two).sum())} pixels differ"
