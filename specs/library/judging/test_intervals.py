"""Prediction intervals, against SciPy and by simulation."""

import numpy as np
import pytest

from mnistrobust.errors import UsageError
from mnistrobust.judging.intervals import Interval, Scale, farthest_reach, prediction_interval

PLAIN = Scale(kind="plain", images=1000)
SHARE = Scale(kind="share", images=1000)
LOSS = Scale(kind="loss", images=1000)
SIGNED = Scale(kind="plain", images=1000, signed=True)
DISTANCE = Scale(kind="share", images=1000, origin=0.25, sign=-1)


@pytest.mark.parametrize("scale", [PLAIN, SHARE, LOSS, DISTANCE])
def test_scales_can_be_inverted(scale):
    """What is transformed comes back, the ends of the range included."""
    ends = [1e-6] if scale.kind == "loss" else [0.0, 1.0]
    for share in [*ends, 0.001, 0.2, 0.5, 0.999]:
        value = scale.origin + scale.sign * share
        assert scale.backward(float(scale.forward([value])[0])) == pytest.approx(value, abs=1e-12)


def test_what_is_beyond_a_share_is_as_far_as_its_end():
    """A damaged file has such figures: no result is NaN."""
    for scale in (SHARE, DISTANCE):
        ends = scale.forward([scale.origin, scale.origin + scale.sign])
        beyond = [scale.origin - 5 * scale.sign, scale.origin + 1e99 * scale.sign]
        assert scale.forward(beyond).tolist() == ends.tolist()


def test_share_is_transformed_with_half_a_count():
    """The logit of k of n is log((k + 1/2) / (n - k + 1/2))."""
    assert SHARE.forward([0.25, 1.0]) == pytest.approx(
        [np.log(250.5 / 750.5), np.log(1000.5 / 0.5)]
    )


def test_prediction_interval_reaches_equally_far_to_both_sides():
    """By that many standard deviations from the mean; on other scales, of the transformed values."""
    values = np.random.default_rng(5).normal(0.3, 0.05, 24)
    found, share = (prediction_interval(values, scale, 3.0) for scale in (PLAIN, SHARE))

    ends = values.mean() + np.array([-3, 0, 3]) * values.std(ddof=1)
    assert (found.low, found.centre, found.high) == pytest.approx(tuple(ends))
    logits = np.log((1000 * values + 0.5) / (1000 - 1000 * values + 0.5))
    low, centre, high = SHARE.forward([share.low, share.centre, share.high])
    assert (centre, high - centre) == pytest.approx((logits.mean(), 3 * logits.std(ddof=1)))
    assert centre - low == pytest.approx(high - centre)


def test_equal_replicates_leave_room_for_a_few_images():
    """Where all replicates agree, the interval is some images wide, not a point."""
    found = prediction_interval([1.0] * 24, SHARE, 5.0)

    assert 0.998 in found
    assert 0.99 not in found
    assert found.high == 1.0
    assert prediction_interval([0.0] * 24, SHARE, 5.0).low == 0.0


@pytest.mark.parametrize(
    ("low", "high", "scale", "checkable"),
    [
        (0.2, 0.69, SHARE, True),
        (0.2, 0.71, SHARE, False),
        (-0.3, 0.21, PLAIN, False),
        (1.0, 9.9, LOSS, True),
        (1.0, 10.1, LOSS, False),
        (0.1, 0.9, SIGNED, True),
        (-0.9, 0.0, SIGNED, True),
        (-0.1, 0.9, SIGNED, False),
    ],
)
def test_a_wide_interval_checks_nothing(low, high, scale, checkable):
    """One wider than half of the possible range is not checkable, unless it leaves a margin one sign."""
    assert Interval(low=low, centre=low, high=high, scale=scale).checkable is checkable


def test_smallest_change_is_seen_in_half_of_all_runs():
    """A mean shifted by the smallest rise lies at the bound: half of its replicates are outside."""
    rng = np.random.default_rng(3)
    found = prediction_interval(rng.normal(0, 0.01, 24), PLAIN, 5.0)
    shifted = rng.normal(found.centre + found.smallest_change[1], 0.01, 4000)

    assert np.mean([value not in found for value in shifted]) == pytest.approx(0.5, abs=0.04)


DRAWN = [
    (PLAIN, lambda rng, n: rng.standard_cauchy(n) / 1000),
    (SHARE, lambda rng, n: rng.beta(20, 80, n)),
    (DISTANCE, lambda rng, n: 0.25 - rng.beta(2, 98, n)),
    (LOSS, lambda rng, n: rng.lognormal(0, 0.1, n)),
    (SHARE, lambda rng, n: 1 - rng.integers(0, 3, n) / 1000),
    (SHARE, lambda rng, n: rng.beta(0.2, 0.3, n)),
]


@pytest.mark.parametrize("seed", range(8))
def test_the_reach_is_just_so_far_that_no_replicate_fails_against_the_others(seed):
    """At a hundredth less, one does: by the definition, with each replicate taken away in turn."""
    rng = np.random.default_rng(seed)
    columns = [(draw(rng, 24), scale) for scale, draw in DRAWN[seed % 3 :]]

    def failing(reach):
        return [
            i
            for values, scale in columns
            for i, value in enumerate(values)
            for others in [prediction_interval(np.delete(values, i), scale, reach)]
            if others.checkable and value not in others
        ]

    reach = farthest_reach(columns)
    assert failing(reach) == []
    assert failing(reach - 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [24, 49])
def test_one_more_replicate_fails_as_often_as_stated(replicates):
    """Whatever the tails are, and though columns depend on each other: within four standard errors."""
    rng, runs = np.random.default_rng(3), 1500

    def fails():
        shared = rng.standard_cauchy(replicates + 1)
        whole = [(draw(rng, replicates + 1), scale) for scale, draw in DRAWN]
        whole += [(0.02 * shared + 0.001 * rng.normal(size=replicates + 1), PLAIN)]
        known = [(values[:-1], scale) for values, scale in whole]
        reach = farthest_reach(known)
        found = [prediction_interval(*each, reach) for each in known]
        return any(
            each.checkable and values[-1] not in each
            for each, (values, _) in zip(found, whole, strict=True)
        )

    rate = 1 / (replicates + 1)
    failed = np.mean([fails() for _ in range(runs)])
    assert failed == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / runs))


def test_what_checks_nothing_needs_no_reach():
    """Where an interval is too wide to check one replicate, no run fails by it."""
    wide = [0.5 * (i % 2) for i in range(24)]
    narrow = [0.5 + 0.001 * (i % 5) for i in range(24)]

    alone = farthest_reach([(narrow, PLAIN)])
    assert farthest_reach([(narrow, PLAIN), ([*wide[1:], 9.0], PLAIN)]) == alone
    assert farthest_reach([([*narrow[1:], 0.9], PLAIN)]) > 50 * alone
    assert farthest_reach([([0.5] * 24, PLAIN)]) == 0


def test_one_replicate_has_no_interval():
    """The error says what was expected."""
    with pytest.raises(UsageError, match="Expected at least two values, received 1"):
        prediction_interval([0.5], PLAIN, 3.0)
