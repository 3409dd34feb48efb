"""Prediction intervals, against SciPy and by simulation."""

import numpy as np
import pytest
from scipy import stats

from mnistrobust.errors import UsageError
from mnistrobust.judging.intervals import Interval, Scale, left_out_distances, prediction_interval

PLAIN = Scale(kind="plain", images=1000)
SHARE = Scale(kind="share", images=1000)
LOSS = Scale(kind="loss", images=1000)
DISTANCE = Scale(kind="share", images=1000, origin=0.25, sign=-1)


@pytest.mark.parametrize("scale", [PLAIN, SHARE, LOSS, DISTANCE])
def test_scales_can_be_inverted(scale):
    """What is transformed comes back, the ends of the range included."""
    ends = [1e-6] if scale.kind == "loss" else [0.0, 1.0]
    for share in [*ends, 0.001, 0.2, 0.5, 0.999]:
        value = scale.origin + scale.sign * share
        assert scale.backward(float(scale.forward([value])[0])) == pytest.approx(value, abs=1e-12)


def test_share_is_transformed_with_half_a_count():
    """The logit of k of n is log((k + 1/2) / (n - k + 1/2))."""
    assert SHARE.forward([0.25, 1.0]) == pytest.approx(
        [np.log(250.5 / 750.5), np.log(1000.5 / 0.5)]
    )


@pytest.mark.parametrize("alpha", [0.01, 0.0001])
@pytest.mark.parametrize("replicates", [5, 24])
def test_prediction_interval_is_students(replicates, alpha):
    """On the plain scale it is SciPy's t with sqrt(1 + 1/N); half of `alpha` is on each side."""
    values = np.random.default_rng(replicates).normal(0.3, 0.05, replicates)
    found = prediction_interval(values, PLAIN, alpha)

    width = values.std(ddof=1) * np.sqrt(1 + 1 / replicates)
    law = stats.t(replicates - 1, values.mean(), width)
    assert (found.low, found.high) == pytest.approx((law.ppf(alpha / 2), law.isf(alpha / 2)))
    assert found.centre == pytest.approx(values.mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "back"),
    [(PLAIN, lambda z: z), (SHARE, lambda z: 1 / (1 + np.exp(-z))), (LOSS, np.exp)],
    ids=["plain", "share", "loss"],
)
def test_prediction_interval_alarms_at_the_stated_rate(scale, back):
    """Of 4,000 further replicates, 5 % leave the interval of 24: within four standard errors."""
    rng = np.random.default_rng(5)
    scale = Scale(kind=scale.kind, images=10**6)  # the half-counts hardly matter
    drawn = back(rng.normal(-1, 0.5, (4000, 25)))
    outside = [row[-1] not in prediction_interval(row[:-1], scale, 0.05) for row in drawn]

    assert np.mean(outside) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_equal_replicates_leave_room_for_a_few_images():
    """Where all replicates agree, the interval is some images wide, not a point."""
    found = prediction_interval([1.0] * 24, SHARE, 0.0001)

    assert 0.998 in found
    assert 0.99 not in found
    assert found.high == 1.0
    assert prediction_interval([0.0] * 24, SHARE, 0.0001).low == 0.0


@pytest.mark.parametrize(
    ("low", "high", "scale", "checkable"),
    [
        (0.2, 0.69, SHARE, True),
        (0.2, 0.71, SHARE, False),
        (-0.3, 0.21, PLAIN, False),
        (1.0, 9.9, LOSS, True),
        (1.0, 10.1, LOSS, False),
    ],
)
def test_a_wide_interval_checks_nothing(low, high, scale, checkable):
    """An interval wider than half of the possible range is not checkable on one replicate."""
    assert Interval(low=low, centre=low, high=high, scale=scale).checkable is checkable


def test_smallest_change_is_seen_in_half_of_all_runs():
    """A mean shifted by the smallest rise lies at the bound: half of its replicates are outside."""
    rng = np.random.default_rng(3)
    found = prediction_interval(rng.normal(0, 0.01, 24), PLAIN, 0.0001)
    shifted = rng.normal(found.centre + found.smallest_change[1], 0.01, 4000)

    assert np.mean([value not in found for value in shifted]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("scale", "draw"),
    [
        (PLAIN, lambda rng: rng.normal(0, 0.05, 100)),
        (SHARE, lambda rng: rng.beta(20, 80, 100)),
        (DISTANCE, lambda rng: 0.25 - rng.beta(2, 98, 100)),
        (LOSS, lambda rng: rng.lognormal(0, 0.1, 100)),
        (SHARE, lambda rng: 1 - rng.integers(0, 2, 100) / 1000),
    ],
)  # fmt: skip
def test_left_out_distances_are_those_of_the_others_intervals(scale, draw):
    """Above 1 exactly where the interval of the others, one at a time, has no place for a replicate."""
    values = draw(np.random.default_rng(8))
    values[0] = values.min() - 0.01
    distances = left_out_distances(values, scale, 0.01)

    for i, value in enumerate(values):
        others = prediction_interval(np.delete(values, i), scale, 0.01)
        assert (distances[i] > 1) == (others.checkable and value not in others), i
    stretched = prediction_interval(np.delete(values, 0), scale, 0.01, stretch=1.001 * distances[0])
    assert distances[0] < 1 or values[0] in stretched


def test_left_out_replicates_alarm_at_about_the_nominal_rate():
    """Of 100 replicates with 10 independent columns, about 10 % alarm at 1 % a column."""
    rng = np.random.default_rng(8)
    columns = [rng.normal(0, 0.05, 100) for _ in range(10)]

    distances = np.max([left_out_distances(v, PLAIN, 0.01) for v in columns], axis=0)

    assert distances.shape == (100,)
    assert np.mean(distances > 1) == pytest.approx(0.1, abs=0.09)


def test_the_odd_replicate_is_far_from_the_others():
    """One replicate unlike the others alarms, at a rate that it would hide by being among them."""
    values = [0.5 + 0.001 * (i % 5) for i in range(24)]

    distances = left_out_distances([*values, 0.9], PLAIN, 1e-6)
    assert [*(distances > 1)] == [False] * 24 + [True]


def test_what_checks_nothing_raises_no_alarm():
    """Where an interval is too wide to check one replicate, no run fails by it."""
    values = [0.5 * (i % 2) for i in range(24)]

    assert not left_out_distances([*values, 9.0], PLAIN, 1e-2).any()


def test_one_replicate_has_no_interval():
    """The error says what was expected."""
    with pytest.raises(UsageError, match="Expected at least two values, received 1"):
        prediction_interval([0.5], PLAIN, 0.01)
