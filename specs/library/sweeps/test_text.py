"""What a sweep says in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.sweeps import text


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
