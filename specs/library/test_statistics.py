"""Verdicts and intervals, against brute force and SciPy."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from mnistrobust import statistics
from mnistrobust.errors import UsageError
from mnistrobust.statistics import Interval, Scale

pytestmark = pytest.mark.slow  # seconds of CPU, and nothing that a change of a model touches

RATES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.97, 0.99)
MARGIN = Scale(kind="margin", images=1000)
SHARE = Scale(kind="share", images=1000)
LOSS = Scale(kind="loss", images=1000)


def chance(held, worlds, rate):
    return comb(worlds, held) * rate**held * (1 - rate) ** (worlds - held)


@pytest.mark.parametrize("worlds", [1, 5, 24, 100])
def test_bounds_are_clopper_and_pearsons(worlds):
    """Both bounds agree with SciPy's two-sided exact interval at twice the error."""
    for held in range(worlds + 1):
        exact = stats.binomtest(held, worlds).proportion_ci(0.98, "exact")
        assert statistics.lower_bound(held, worlds) == pytest.approx(exact.low, abs=1e-9)
        assert statistics.upper_bound(held, worlds) == pytest.approx(exact.high, abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("worlds", [1, 24, 100])
def test_bounds_cover_the_rate_as_often_as_they_say(worlds, rate):
    """Over all outcomes, each one-sided bound is on its side with at least 99 %."""
    outcomes = range(worlds + 1)
    low = sum(
        chance(k, worlds, rate) for k in outcomes if statistics.lower_bound(k, worlds) <= rate
    )
    high = sum(
        chance(k, worlds, rate) for k in outcomes if statistics.upper_bound(k, worlds) >= rate
    )

    assert min(low, high) >= 0.99


@pytest.mark.parametrize(
    ("worlds", "reproduced", "refuted"), [(20, 20, 0), (24, 23, 1), (100, 86, 14)]
)
def test_verdicts_change_at_fixed_counts(worlds, reproduced, refuted):
    """With 24 worlds, at least 23 reproduce a claim and at most 1 refutes it."""
    words = [statistics.verdict(held, worlds) for held in range(worlds + 1)]

    assert [k for k, word in enumerate(words) if word == "reproduced"] == [
        *range(reproduced, worlds + 1)
    ]
    assert [k for k, word in enumerate(words) if word == "refuted"] == [*range(refuted + 1)]
    assert words.count("seed-dependent") == reproduced - refuted - 1


def test_few_worlds_give_no_verdict():
    """Under 20 worlds nothing is judged, however clear."""
    assert {statistics.verdict(held, 19) for held in range(20)} == {"provisional"}


@pytest.mark.parametrize(("rate", "stated"), [(0.95, 0.66), (0.97, 0.84), (0.99, 0.98)])
def test_operating_curve_is_as_stated(rate, stated):
    """A claim true in 95, 97, 99 % of worlds is reproduced with 0.66, 0.84, 0.98."""
    assert statistics.operating_curve(rate, 24)["reproduced"] == pytest.approx(stated, abs=0.005)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("worlds", [5, 24])
def test_operating_curve_is_the_sum_over_all_outcomes(worlds, rate):
    """The curve equals exact enumeration, and its parts add up to 1."""
    expected = dict.fromkeys(("reproduced", "refuted", "seed-dependent", "provisional"), 0.0)
    for held in range(worlds + 1):
        expected[statistics.verdict(held, worlds)] += chance(held, worlds, rate)

    assert statistics.operating_curve(rate, worlds) == pytest.approx(expected, abs=1e-12)
    assert sum(expected.values()) == pytest.approx(1)


@pytest.mark.parametrize("worlds", [4, 5, 6, 10, 24, 60, 100])
def test_live_rule_is_symmetric_and_states_its_errors(worlds):
    """Alpha and beta are exact, for either answer, and alpha is at most 0.01."""
    rule = statistics.live_rule(worlds)
    answers = [rule.judge(held) for held in range(worlds + 1)]
    mirror = {"reproduced": "not reproduced", "not reproduced": "reproduced"}

    def total(answer, rate):
        return sum(chance(k, worlds, rate) for k, each in enumerate(answers) if each == answer)

    assert [mirror.get(each, each) for each in reversed(answers)] == answers
    assert rule.alpha == pytest.approx(total("reproduced", 0.25), rel=1e-9)
    assert rule.alpha == pytest.approx(total("not reproduced", 0.75), rel=1e-9)
    assert rule.beta == pytest.approx(1 - total("reproduced", 0.75), rel=1e-9)
    assert rule.alpha <= 0.01
    assert worlds < 24 or rule.beta <= 0.05


@pytest.mark.parametrize("worlds", [1, 2, 3])
def test_too_few_live_worlds_conclude_nothing(worlds):
    """Three wins of three are inconclusive, and the rule says why."""
    rule = statistics.live_rule(worlds)

    assert {rule.judge(held) for held in range(worlds + 1)} == {"inconclusive"}
    assert "too few" in str(rule)


DISTANCE = Scale(kind="share", images=1000, origin=0.25, sign=-1)


@pytest.mark.parametrize("scale", [MARGIN, SHARE, LOSS, DISTANCE])
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
@pytest.mark.parametrize("worlds", [5, 24])
def test_prediction_interval_is_students(worlds, alpha):
    """On the plain scale it is SciPy's t with sqrt(1 + 1/N); half of `alpha` is on each side."""
    values = np.random.default_rng(worlds).normal(0.3, 0.05, worlds)
    found = statistics.prediction_interval(values, MARGIN, alpha)

    width = values.std(ddof=1) * np.sqrt(1 + 1 / worlds)
    law = stats.t(worlds - 1, values.mean(), width)
    assert (found.low, found.high) == pytest.approx((law.ppf(alpha / 2), law.isf(alpha / 2)))
    assert found.centre == pytest.approx(values.mean())


@pytest.mark.parametrize(
    ("scale", "back"),
    [(MARGIN, lambda z: z), (SHARE, lambda z: 1 / (1 + np.exp(-z))), (LOSS, np.exp)],
    ids=["margin", "share", "loss"],
)
def test_prediction_interval_alarms_at_the_stated_rate(scale, back):
    """Of 4,000 further worlds, 5 % leave the interval of 24: within four standard errors."""
    rng = np.random.default_rng(5)
    scale = Scale(kind=scale.kind, images=10**6)  # the half-counts hardly matter
    drawn = back(rng.normal(-1, 0.5, (4000, 25)))
    outside = [
        row[-1] not in statistics.prediction_interval(row[:-1], scale, 0.05) for row in drawn
    ]

    assert np.mean(outside) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_equal_worlds_leave_room_for_a_few_images():
    """Where all worlds agree, the interval is some images wide, not a point."""
    found = statistics.prediction_interval([1.0] * 24, SHARE, 0.0001)

    assert 0.998 in found
    assert 0.99 not in found
    assert found.high == 1.0
    assert statistics.prediction_interval([0.0] * 24, SHARE, 0.0001).low == 0.0


@pytest.mark.parametrize(
    ("low", "high", "scale", "checkable"),
    [
        (0.2, 0.69, SHARE, True),
        (0.2, 0.71, SHARE, False),
        (-0.3, 0.21, MARGIN, False),
        (1.0, 9.9, LOSS, True),
        (1.0, 10.1, LOSS, False),
    ],
)
def test_a_wide_interval_checks_nothing(low, high, scale, checkable):
    """An interval wider than half of the possible range is not checkable on one world."""
    assert Interval(low=low, centre=low, high=high, scale=scale).checkable is checkable


def test_smallest_change_is_seen_in_half_of_all_runs():
    """A mean shifted by the smallest rise lies at the bound: half of its worlds are outside."""
    rng = np.random.default_rng(3)
    found = statistics.prediction_interval(rng.normal(0, 0.01, 24), MARGIN, 0.0001)
    shifted = rng.normal(found.centre + found.smallest_change[1], 0.01, 4000)

    assert np.mean([value not in found for value in shifted]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("scale", "draw"),
    [
        (MARGIN, lambda rng: rng.normal(0, 0.05, 100)),
        (SHARE, lambda rng: rng.beta(20, 80, 100)),
        (DISTANCE, lambda rng: 0.25 - rng.beta(2, 98, 100)),
        (LOSS, lambda rng: rng.lognormal(0, 0.1, 100)),
        (SHARE, lambda rng: 1 - rng.integers(0, 2, 100) / 1000),
    ],
)  # fmt: skip
def test_left_out_distances_are_those_of_the_others_intervals(scale, draw):
    """Above 1 exactly where the interval of the others, one at a time, has no place for a world."""
    values = draw(np.random.default_rng(8))
    values[0] = values.min() - 0.01
    distances = statistics.left_out_distances(values, scale, 0.01)

    for i, value in enumerate(values):
        others = statistics.prediction_interval(np.delete(values, i), scale, 0.01)
        assert (distances[i] > 1) == (others.checkable and value not in others), i
    stretched = statistics.prediction_interval(
        np.delete(values, 0), scale, 0.01, stretch=1.001 * distances[0]
    )
    assert distances[0] < 1 or values[0] in stretched


def test_left_out_worlds_alarm_at_about_the_nominal_rate():
    """Of 100 worlds with 10 independent columns, about 10 % alarm at 1 % a column."""
    rng = np.random.default_rng(8)
    columns = [rng.normal(0, 0.05, 100) for _ in range(10)]

    distances = np.max([statistics.left_out_distances(v, MARGIN, 0.01) for v in columns], axis=0)

    assert distances.shape == (100,)
    assert np.mean(distances > 1) == pytest.approx(0.1, abs=0.09)


def test_the_odd_world_is_far_from_the_others():
    """One world unlike the others alarms, at a rate that it would hide by being among them."""
    values = [0.5 + 0.001 * (i % 5) for i in range(24)]

    distances = statistics.left_out_distances([*values, 0.9], MARGIN, 1e-6)
    assert [*(distances > 1)] == [False] * 24 + [True]


def test_what_checks_nothing_raises_no_alarm():
    """Where an interval is too wide to check one world, no run fails by it."""
    values = [0.5 * (i % 2) for i in range(24)]

    assert not statistics.left_out_distances([*values, 9.0], MARGIN, 1e-2).any()


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.2, 0.35, 1.0, 2.0])
def test_percentile_is_scipys_mean_rank(value):
    """Equal values count half."""
    sample = [0.0, 0.2, 0.2, 0.5, 1.0]

    assert statistics.percentile(value, sample) == pytest.approx(
        stats.percentileofscore(sample, value, kind="mean")
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.verdict(3, 2),
        lambda: statistics.lower_bound(-1, 2),
        lambda: statistics.live_rule(0),
        lambda: statistics.prediction_interval([0.5], MARGIN, 0.01),
        lambda: statistics.percentile(0.5, []),
    ],
    ids=["held", "negative", "live", "interval", "percentile"],
)
def test_impossible_counts_are_errors(call):
    """A count beyond the worlds, a single world, or none says what was expected."""
    with pytest.raises(UsageError, match="Expected"):
        call()
