"""One replicate is checked against the evidence of many, and fails where it does not fit."""

import pytest

from mnistrobust import words
from mnistrobust.evidence.results import Outcome
from mnistrobust.judging import regression
from mnistrobust.judging.intervals import Scale
from mnistrobust.judging.regression import checks_of, scale_of
from mnistrobust.judging.verdicts import word_of
from mnistrobust.registry import claim_named
from specs.helpers.synthetic import FIVES, UNCONFIDENT, WINS, evidence, measured, spread

FIGURE = "ann.learns_standard_mnist"
SEVENS = "cnn.predicts_one_or_seven_on_noisy"
CATCHES = "ann.noise_class_catches_pure_noise"
FOUND = evidence(
    {
        FIGURE: measured(
            spread(-0.01, 0.001), accuracy=spread(0.94, 0.001), loss=spread(0.3, 0.01)
        ),
        WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
        FIVES: measured(spread(-0.4, 0.01), fives=spread(0.1, 0.01)),
        UNCONFIDENT: measured(spread(0.0, 0.02), confident=[0.1, 0.9] * 12),
    }
)
CHECKS = checks_of(FOUND)


def outcome(claim, margin=None, **figures):
    return Outcome(id=claim, seed=0, figures=figures, margin=margin)


def test_every_figure_and_margin_is_a_check():
    """The halved and doubled margins are none."""
    assert CHECKS.count == 9
    assert set(CHECKS.intervals[FIGURE]) == {"accuracy", "loss", "margin"}


def test_a_replicate_like_the_others_has_no_problem():
    """The replicates of the evidence themselves all pass."""
    for claim, each in FOUND.claims.items():
        for i in range(24):
            figures = {name: values[i] for name, values in each.figures.items()}
            assert CHECKS.problems(outcome(claim, each.margins["margin"][i], **figures)) == []


@pytest.mark.parametrize(
    ("claim", "name", "value", "said"),
    [
        (FIGURE, "accuracy", 0.90, "worse by 0.04"),
        (FIGURE, "accuracy", 0.97, "better by 0.03"),
        (FIGURE, "loss", 0.9, "worse by 0.6"),
        (FIGURE, "loss", 0.1, "better by 0.2"),
        (FIVES, "fives", 0.4, "worse by 0.3"),
    ],
)
def test_a_value_outside_names_figure_interval_and_direction(claim, name, value, said):
    """Less accuracy is worse, less loss better, and one prediction for everything worse."""
    (problem,) = CHECKS.problems(outcome(claim, **{name: value}))

    assert problem.startswith(f"{claim}: {name} {value:g}, evidence of 24 seeds: 0.")
    assert said in problem


def test_a_claim_must_hold_only_where_all_replicates_would():
    """Both signs are possible where the margin's interval includes 0."""
    for claim, margin, which, figures in (
        (WINS, -0.01, "lower", {"noisy": 0.8}),
        (WINS, 0.05, "lower", {"noisy": 0.8}),
        (FIVES, 0.01, "higher", {"fives": 0.1}),
        (FIVES, -0.05, "higher", {"fives": 0.1}),
    ):
        (problem,) = CHECKS.problems(outcome(claim, margin, **figures))
        assert problem.startswith(f"{claim}: margin {margin}, evidence of 24 seeds")
        assert f"({which} by 0." in problem
    assert CHECKS.problems(outcome(UNCONFIDENT, -0.01, confident=0.1)) == []


def test_a_margin_is_checked_where_its_interval_leaves_one_sign():
    """An interval of 1 to 2 is wide, but 0 lies outside; nothing is known where 0 lies inside."""
    wide = checks_of(evidence({WINS: measured([1.1, 1.9] * 12)}))
    assert wide.uncheckable == []
    assert wide.problems(outcome(WINS, 1.2)) == []
    assert wide.problems(outcome(WINS, -0.1))
    both = checks_of(evidence({WINS: measured([-0.4, 0.6] * 12)}))
    assert len(both.uncheckable) == 1
    assert both.problems(outcome(WINS, -0.1)) == []
    signed = [found["margin"].scale.signed for found in CHECKS.intervals.values()]
    assert signed == [False, True, True, True], "of the first, the document asserts nothing"


def test_only_a_refuted_claim_must_fail():
    """A claim that the evidence refutes, and whose margin cannot be above 0."""
    assert [claim for claim in FOUND.claims if CHECKS.must_fail(claim)] == [FIVES]
    verdicts = [word_of(claim_named(claim), FOUND) for claim in FOUND.claims]
    assert verdicts == [None, "reproduced", "refuted", "seed-dependent"]
    assert not CHECKS.must_fail("cnn.handles_inversion"), "no evidence"


def test_what_is_too_wide_is_listed_not_checked():
    """An interval wider than half of the range is named with its bounds."""
    assert len(CHECKS.uncheckable) == 1
    assert CHECKS.uncheckable[0].startswith(f"{UNCONFIDENT} confident (")
    assert CHECKS.problems(outcome(UNCONFIDENT, 0.0, confident=0.5)) == []


def test_few_replicates_check_nothing():
    """Under 20 replicates everything is provisional, and nothing fails."""
    assert checks_of(evidence({WINS: measured(spread(0.2, 0.01, 19))})) is None
    assert checks_of(None) is None


def test_a_new_figure_waits_for_evidence():
    """A figure or a claim that the evidence does not have is not checked."""
    assert CHECKS.problems(outcome(WINS, 0.2, another=0.0)) == []
    assert CHECKS.problems(outcome("cnn.handles_inversion", -0.5)) == []


def test_changed_code_is_named():
    """A recipe that trains otherwise than when the evidence was made, and the command for new."""
    code = {**FOUND.head.code, "recipe ann": "0", "condition gone": "1"}
    del code["condition clean"], code["recipe cnn"]  # added since: the evidence says nothing of it
    older = evidence(dict(FOUND.claims), code=code)

    assert regression.changed_since(FOUND) == []
    assert regression.changed_since(older) == ["condition gone", "recipe ann"]
    assert "mnistrobust replicate --seeds 24" in regression.predates(["recipe ann"], older)
    many = regression.predates([f"recipe {each}" for each in "abcde"], older)
    assert "a change of recipe a, recipe b, recipe c and 2 more; " in many


def test_the_rate_is_that_of_the_farthest_of_all_seeds():
    """Any of 25 seeds, the evidence's 24 and the run's, is equally likely to be the farthest."""
    assert CHECKS.false_alarms == 1 / 25
    assert str(CHECKS) == ("checked against 24 other seeds: 9 figures and margins, 4% false alarms")


def test_every_interval_reaches_as_far_as_the_farthest_seed():
    """One seed far out widens the intervals of all figures, in standard deviations."""
    tails = [0.74, *spread(0.8, 0.01)[1:]]
    claims = {**FOUND.claims, WINS: measured(spread(0.2, 0.01), plain=tails)}
    checks = checks_of(evidence(claims))

    assert checks.reach > 1.5 * CHECKS.reach
    found = checks.intervals[WINS]["plain"]
    assert found.low < 0.74
    assert checks.problems(outcome(WINS, 0.2, plain=0.74)) == []
    assert checks.problems(outcome(WINS, 0.2, plain=0.3)) != []
    wider, others = (each.intervals[FIVES]["margin"] for each in (checks, CHECKS))
    assert others.scale.kind == wider.scale.kind
    assert wider.high - wider.low > 1.3 * (others.high - others.low)


SKEWED = [0.02 * 3 ** float(z) for z in spread(0, 1)]


@pytest.mark.parametrize(
    ("claim", "figure", "word"),
    [(FIVES, "fives", words.most), (UNCONFIDENT, "confident", words.not_confident)],
)
def test_a_margin_whose_word_bounds_a_share_is_checked_as_that_share(claim, figure, word):
    """A share near its end is skewed, and its margin with it; both allow the same seeds."""
    margins = [word(share).value for share in SKEWED]
    found = checks_of(evidence({claim: measured(margins, **{figure: SKEWED})})).intervals[claim]

    ends = (found["margin"].low, found["margin"].high)
    assert sorted(word.side * end + word.bound for end in ends) == pytest.approx(
        [found[figure].low, found[figure].high]
    )


def test_a_sum_of_shares_is_a_share():
    """The word says so, though no figure has that value."""
    both = [words.most(2 * share).value for share in SKEWED]
    measured_both = measured(both, ones=SKEWED, sevens=SKEWED)

    found = scale_of(claim_named(SEVENS), "margin", measured_both, 1000)

    assert found == Scale(kind="share", images=1000, origin=-words.MOST, signed=True)


@pytest.mark.parametrize(
    ("taken", "kind", "origin"), [([0.0] * 24, "share", -0.99), ([0.0, 0.9] * 12, "plain", 0.0)]
)
def test_a_margin_of_two_words_has_the_scale_of_the_one_that_always_decides(taken, kind, origin):
    """Where now one and now the other decides, it is neither share's."""
    caught = spread(0.98, 0.01)
    both = [
        min(float(words.every(one)), float(words.small_number(other)))
        for one, other in zip(caught, taken, strict=True)
    ]
    measured_both = measured(both, caught=caught, digits_predicted_noise=taken)

    found = scale_of(claim_named(CATCHES), "margin", measured_both, 1000)

    assert (found.kind, found.origin) == (kind, origin)
