"""Verdicts, against brute force and SciPy."""

from math import comb

import numpy as np
import pytest

from mnistrobust.errors import UsageError
from mnistrobust.judging import statistics

RATES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.97, 0.99)


def chance(held, replicates, rate):
    return comb(replicates, held) * rate**held * (1 - rate) ** (replicates - held)


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [1, 5, 24, 100])
def test_bounds_are_clopper_and_pearsons(replicates):
    """Both bounds agree with SciPy's two-sided exact interval at twice the error."""
    from scipy.stats import binomtest  # late: a second of import

    for held in range(replicates + 1):
        exact = binomtest(held, replicates).proportion_ci(0.98, "exact")
        assert statistics.lower_bound(held, replicates) == pytest.approx(exact.low, abs=1e-9)
        assert statistics.upper_bound(held, replicates) == pytest.approx(exact.high, abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("replicates", [1, 24, 100])
def test_bounds_cover_the_rate_as_often_as_they_say(replicates, rate):
    """Over all outcomes, each one-sided bound is on its side with at least 99 %."""
    outcomes = range(replicates + 1)
    low = sum(
        chance(k, replicates, rate)
        for k in outcomes
        if statistics.lower_bound(k, replicates) <= rate
    )
    high = sum(
        chance(k, replicates, rate)
        for k in outcomes
        if statistics.upper_bound(k, replicates) >= rate
    )

    assert min(low, high) >= 0.99


@pytest.mark.parametrize(
    ("replicates", "reproduced", "refuted"), [(20, 20, 0), (24, 23, 1), (100, 86, 14)]
)
def test_verdicts_change_at_fixed_counts(replicates, reproduced, refuted):
    """With 24 replicates, at least 23 reproduce a claim and at most 1 refutes it."""
    words = [statistics.verdict(held, replicates) for held in range(replicates + 1)]

    assert [k for k, word in enumerate(words) if word == "reproduced"] == [
        *range(reproduced, replicates + 1)
    ]
    assert [k for k, word in enumerate(words) if word == "refuted"] == [*range(refuted + 1)]
    assert words.count("seed-dependent") == reproduced - refuted - 1


def test_few_replicates_give_no_verdict():
    """Under 20 replicates nothing is judged, however clear."""
    assert {statistics.verdict(held, 19) for held in range(20)} == {"provisional"}


@pytest.mark.parametrize(("rate", "stated"), [(0.95, 0.66), (0.97, 0.84), (0.99, 0.98)])
def test_operating_curve_is_as_stated(rate, stated):
    """A claim true in 95, 97, 99 % of replicates is reproduced with 0.66, 0.84, 0.98."""
    assert statistics.operating_curve(rate, 24)["reproduced"] == pytest.approx(stated, abs=0.005)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("replicates", [5, 24])
def test_operating_curve_is_the_sum_over_all_outcomes(replicates, rate):
    """The curve equals exact enumeration, and its parts add up to 1."""
    expected = dict.fromkeys(("reproduced", "refuted", "seed-dependent", "provisional"), 0.0)
    for held in range(replicates + 1):
        expected[statistics.verdict(held, replicates)] += chance(held, replicates, rate)

    assert statistics.operating_curve(rate, replicates) == pytest.approx(expected, abs=1e-12)
    assert sum(expected.values()) == pytest.approx(1)


@pytest.mark.parametrize("replicates", [4, 5, 6, 10, 24, 60, 100])
def test_live_rule_is_symmetric_and_states_its_errors(replicates):
    """Alpha and beta are exact, for either answer, and alpha is at most 0.01."""
    rule = statistics.live_rule(replicates)
    predictions = [rule.judge(held) for held in range(replicates + 1)]
    mirror = {"reproduced": "not reproduced", "not reproduced": "reproduced"}

    def total(answer, rate):
        return sum(
            chance(k, replicates, rate) for k, each in enumerate(predictions) if each == answer
        )

    assert [mirror.get(each, each) for each in reversed(predictions)] == predictions
    assert rule.alpha == pytest.approx(total("reproduced", 0.25), rel=1e-9)
    assert rule.alpha == pytest.approx(total("not reproduced", 0.75), rel=1e-9)
    assert rule.beta == pytest.approx(1 - total("reproduced", 0.75), rel=1e-9)
    assert rule.alpha <= 0.01
    assert replicates < 24 or rule.beta <= 0.05


@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_too_few_live_replicates_conclude_nothing(replicates):
    """Three wins of three are inconclusive, and the rule says why."""
    rule = statistics.live_rule(replicates)

    assert {rule.judge(held) for held in range(replicates + 1)} == {"inconclusive"}
    assert "too few" in str(rule)


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.2, 0.35, 1.0, 2.0])
def test_percentile_is_scipys_mean_rank(value):
    """Equal values count half."""
    from scipy.stats import percentileofscore  # late: a second of import

    sample = [0.0, 0.2, 0.2, 0.5, 1.0]

    assert statistics.percentile(value, sample) == pytest.approx(
        percentileofscore(sample, value, kind="mean")
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.verdict(3, 2),
        lambda: statistics.lower_bound(-1, 2),
        lambda: statistics.live_rule(0),
        lambda: statistics.percentile(0.5, []),
    ],
    ids=["held", "negative", "live", "percentile"],
)
def test_impossible_counts_are_errors(call):
    """A count beyond the replicates, a single replicate, or none says what was expected."""
    with pytest.raises(UsageError, match="Expected"):
        call()


@pytest.mark.parametrize(("replicates", "wins"), [(4, 4), (5, 5), (10, 7), (24, 14), (100, 68)])
def test_live_rule_asks_for_a_fixed_number_of_wins(replicates, wins):
    """The most for which both errors are small; where no number does, the fewest with a small alpha."""
    assert statistics.live_rule(replicates).wins == wins


@pytest.mark.parametrize("replicates", [4, 8, 12])
def test_runs_that_confirm_less_are_counted_by_drawing_seeds(replicates):
    """Of one claim it is the binomial's tail; two claims that fail together count once."""
    rule, often = statistics.live_rule(replicates), np.arange(100) < 88
    exact = sum(chance(k, replicates, 0.88) for k in range(rule.wins))

    one = statistics.unconfirmed(often[None], rule, 20_000)
    assert one == pytest.approx(exact, abs=0.015)
    assert statistics.unconfirmed(np.stack([often, often]), rule, 20_000) == one
    apart = statistics.unconfirmed(np.stack([often, np.roll(often, 12)]), rule, 20_000)
    assert apart > one or exact < 0.01
    assert statistics.unconfirmed(np.ones((3, 24), bool), rule) == 0
