"""What a sweep says in words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.sweeps import text
from mnistrobust.sweeps.curves import Ladder, ladder
from mnistrobust.sweeps.sweep import Sweep


@pytest.mark.parametrize(
    ("last", "half", "interval", "wide", "narrow"),
    [
        (60, 31.4, (30, 33), "31.4 (30 to 33)", "31.4"),
        (60, 58, (55, None), "58 (55 to > 60)", "58"),
        (60, None, (58, None), "> 60 (58 to > 60)", "> 60"),
        (60, None, (None, None), "> 60: still 0.700", "> 60"),
        (0.5, None, (None, None), "> 0.5: still 0.700", "> 0.5"),
        (-60, None, (None, None), "< -60: still 0.700", "< -60"),
        (-60, -31.4, (-30, -33), "-31.4 (-30 to -33)", "-31.4"),
    ],
)
def test_a_half_dose_is_told_with_its_interval(last, half, interval, wide, narrow):
    """Also where it lies beyond the last dose but its interval begins before it."""
    curve = SimpleNamespace(
        ladder=SimpleNamespace(doses=(0, last)),
        half_dose=half,
        half_dose_interval=interval,
        accuracy=np.array([1, 0.7]),
    )

    assert (text._half(curve), text._half(curve, wide=False)) == (wide, narrow)


def test_the_last_column_says_over_how_many_perturbations_it_is(mnist5k):
    """The reference lacks one of the user's; a dose that is no severity counts for no column."""
    own = replace(PERTURBATIONS["fade"], name="mine:tear")
    mine = Ladder(name=own.name, perturbation=own, doses=(0, *own.severities))
    known = ladder("rotate"), ladder("blur"), ladder("rotate:90")
    both, all_known = (
        Sweep(source=mnist5k.source, ladders=ladders, curves={}, seeds={})
        for ladders in ((*known, mine), known)
    )
    (told,), (all_told,) = (
        [line.rpartition("document's ")[2] for line in text._notes(each) if "Last" in line]
        for each in (both, all_known)
    )

    assert (told, all_told) == ("ann, over 2 of 3 perturbations.", "ann.")
    assert both.to_json()["in_reference"] == ["rotate", "blur"]
