"""Verdicts follow from the evidence."""

from dataclasses import replace

import pytest

from mnistrobust.errors import MnistRobustError
from mnistrobust.judging.row import Row, claim_json
from mnistrobust.judging.verdicts import instead_of, places, rule, verdict_of, word_of
from mnistrobust.registry import claim_named
from specs.helpers.synthetic import FAILS_ON_NOISY, UNCONFIDENT, WINS, evidence, measured

FIGURE = "ann.learns_standard_mnist"


def margins(held, replicates=24):
    return [0.1] * held + [-0.1] * (replicates - held)


@pytest.mark.parametrize(
    ("held", "replicates", "word"),
    [
        (24, 24, "reproduced"),
        (23, 24, "reproduced"),
        (22, 24, "seed-dependent"),
        (1, 24, "refuted"),
        (19, 19, "provisional"),
    ],
)
def test_a_verdict_counts_the_replicates_that_hold(held, replicates, word):
    """The verdict is the rule's; its parts are the count, the bounds and the margin."""
    found = verdict_of(claim_named(WINS), evidence({WINS: measured(margins(held, replicates))}))

    assert (found.word, found.held, found.replicates) == (word, held, replicates)
    assert found.low <= held / replicates <= found.high
    assert found.mean == pytest.approx(sum(margins(held, replicates)) / replicates)


def test_a_margin_of_zero_does_not_hold():
    """Only a margin above 0 counts."""
    assert verdict_of(claim_named(WINS), evidence({WINS: measured([0.0] * 24)})).held == 0


@pytest.mark.parametrize(
    ("halved", "doubled", "depends"), [(24, 24, False), (24, 5, True), (3, 24, True)]
)
def test_a_verdict_that_flips_depends_on_the_wording(halved, doubled, depends):
    """Another verdict at half or at twice the bound is said beside the verdict."""
    found = evidence(
        {WINS: measured(margins(24), halved=margins(halved), doubled=margins(doubled))}
    )
    verdict = verdict_of(claim_named(WINS), found)

    assert verdict.depends_on_wording is depends
    assert any(
        "depends on the wording" in part
        for part in Row(claim=claim_named(WINS), evidence=found).judged
    ) is (depends)


def test_only_what_is_asserted_gets_a_verdict():
    """A figure has none, with evidence too; a claim without evidence is provisional."""
    found = evidence({FIGURE: measured(margins(24)), WINS: measured(margins(24))})

    assert (verdict_of(claim_named(FIGURE), found), word_of(claim_named(FIGURE), found)) == (
        None,
    ) * 2
    assert word_of(claim_named(UNCONFIDENT), found) == "provisional"
    assert word_of(claim_named(UNCONFIDENT), None) == "provisional"
    assert word_of(claim_named(WINS), found) == "reproduced"


def test_a_reported_figure_has_its_place_among_single_draws():
    """The document's 0.87 among a hundred single draws of ours, equal ones counted half."""
    single_draws = tuple(tuple(k / 100 for k in range(50 * i, 50 * i + 50)) for i in range(2))
    found = evidence(
        {UNCONFIDENT: measured([0.1, 0.2], confident=[0.5, 0.6], draws={"confident": single_draws})}
    )

    place = places(claim_named(UNCONFIDENT), found)["confident"]

    assert (place.single_draws, place.percentile, place.reported) == (100, 87.5, 0.87)
    assert place.median == pytest.approx(0.495)
    assert (place.low, place.high) == pytest.approx((0.0495, 0.9405))
    assert "percentile 88" in Row(claim=claim_named(UNCONFIDENT), evidence=found).said


def test_claims_json_joins_verdict_and_single_draws():
    """The contract's keys stay first; hold-rate, bounds, effect and single draws follow."""
    single_draws = {"accuracy": ((0.1, 0.3),) * 24}
    found = evidence(
        {FAILS_ON_NOISY: measured(margins(23), accuracy=[0.2] * 24, draws=single_draws)}
    )

    fields = claim_json(Row(claim=claim_named(FAILS_ON_NOISY), evidence=found))

    assert fields["verdict"] == "reproduced"
    assert fields["replication"]["held"] == 23
    assert fields["single_draws"]["accuracy"]["percentile"] == 50
    assert claim_json(Row(claim=claim_named(FAILS_ON_NOISY)))["replication"] is None


def test_the_rule_states_its_power():
    """With 24 replicates: 23 and 1, and what a true claim's chances are; fewer than 20 judge nothing."""
    assert "at least 23 of 24 seeds, refuted if for at most 1, else" in rule(24)
    assert (
        "for 95%, 97%, 99% of all seeds is called reproduced with probability 0.66, 0.84, 0.98"
        in (rule(24))
    )
    assert "no verdict" in rule(19)


def test_what_is_true_instead_is_filled_from_evidence():
    """A figure's median, smallest and largest value over the seeds, and three counts."""
    columns = {"noisy": [0.25, *[0.5] * 11, *[0.25] * 8, *[0.125] * 4]}
    found = evidence({WINS: measured([0.1] * 8 + [-0.1] * 16, **columns)})
    text = "{noisy:.2f}, {noisy.min:.1%} to {noisy.max:.0%}; {held} and {failed} of {seeds}."

    filled = instead_of(replace(claim_named(WINS), instead=text), found)

    assert filled == "0.25, 12.5% to 50%; 8 and 16 of 24."


@pytest.mark.parametrize(
    ("margins", "told"), [([0.1] * 24, False), ([-0.1] * 24, True), ([-0.1] * 3, False)]
)
def test_nothing_is_true_instead_of_what_the_evidence_does_not_call_wrong(margins, told):
    """A claim that holds, or of which too few seeds are known, has no other sentence."""
    claim = replace(claim_named(WINS), instead="It fails for {failed} of {seeds}.")

    filled = instead_of(claim, evidence({WINS: measured(margins)}))

    assert filled == ("It fails for 24 of 24." if told else None)


@pytest.mark.parametrize("wrong", ["{nosy:.2f}", "{noisy.mean}", "{noisy:.2q}", "{}"])
def test_a_wrong_placeholder_is_named_with_those_that_exist(wrong):
    """And so is the claim."""
    claim = replace(claim_named(WINS), instead=wrong)
    found = evidence({WINS: measured([-0.1] * 24, plain=[0.1] * 24, noisy=[0.2] * 24)})

    with pytest.raises(MnistRobustError, match=rf"{WINS}.*wrong placeholder.*plain, noisy, held"):
        instead_of(claim, found)


def test_verdicts_at_half_and_at_twice_the_bound_are_not_exchanged():
    """Each is the verdict of its own margins."""
    found = evidence({WINS: measured(margins(24), halved=margins(12), doubled=margins(1))})
    verdict = verdict_of(claim_named(WINS), found)

    assert (verdict.word, verdict.halved, verdict.doubled) == (
        "reproduced",
        "seed-dependent",
        "refuted",
    )
    assert (
        verdict.wording
        == "depends on the wording: seed-dependent at half, refuted at twice the bound"
    )


def test_a_margin_is_told_by_mean_spread_and_median():
    """Of skewed margins, the median is not the mean."""
    verdict = verdict_of(claim_named(WINS), evidence({WINS: measured([0.1] * 18 + [0.5] * 6)}))

    assert (verdict.mean, verdict.median) == (pytest.approx(0.2), pytest.approx(0.1))
    assert verdict.sd == pytest.approx(0.1769, abs=1e-4)
