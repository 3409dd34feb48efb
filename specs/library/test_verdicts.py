"""Verdicts follow from the evidence."""

import pytest
from synthetic import FAILS_ON_NOISY, UNSURE, WINS, evidence, measured

from mnistrobust.claims import claim_named
from mnistrobust.ledger import claim_json, row
from mnistrobust.verdicts import places, rule, verdict_of, word_of

FIGURE = "ann.learns_standard_mnist"


def margins(held, worlds=24):
    return [0.1] * held + [-0.1] * (worlds - held)


@pytest.mark.parametrize(
    ("held", "worlds", "word"),
    [
        (24, 24, "reproduced"),
        (23, 24, "reproduced"),
        (22, 24, "seed-dependent"),
        (1, 24, "refuted"),
        (19, 19, "provisional"),
    ],
)
def test_a_verdict_counts_the_worlds_that_hold(held, worlds, word):
    """The verdict is the rule's; its parts are the count, the bounds and the margin."""
    found = verdict_of(claim_named(WINS), evidence({WINS: measured(margins(held, worlds))}))

    assert (found.word, found.held, found.worlds) == (word, held, worlds)
    assert found.low <= held / worlds <= found.high
    assert found.mean == pytest.approx(sum(margins(held, worlds)) / worlds)


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
        "depends on the wording" in part for part in row(claim_named(WINS), found).judged
    ) is (depends)


def test_only_what_is_asserted_gets_a_verdict():
    """A figure has none, with evidence too; a claim without evidence is provisional."""
    found = evidence({FIGURE: measured(margins(24)), WINS: measured(margins(24))})

    assert (verdict_of(claim_named(FIGURE), found), word_of(claim_named(FIGURE), found)) == (
        None,
    ) * 2
    assert word_of(claim_named(UNSURE), found) == "provisional"
    assert word_of(claim_named(UNSURE), None) == "provisional"
    assert word_of(claim_named(WINS), found) == "reproduced"


def test_a_reported_figure_has_its_place_among_single_looks():
    """The document's 0.87 among a hundred looks of ours, equal ones counted half."""
    looks = tuple(tuple(k / 100 for k in range(50 * i, 50 * i + 50)) for i in range(2))
    found = evidence({UNSURE: measured([0.1, 0.2], sure=[0.5, 0.6], draws={"sure": looks})})

    place = places(claim_named(UNSURE), found)["sure"]

    assert (place.looks, place.percentile, place.reported) == (100, 87.5, 0.87)
    assert place.median == pytest.approx(0.495)
    assert "percentile 88" in row(claim_named(UNSURE), found).placed[0]


def test_claims_json_joins_verdict_and_looks():
    """The contract's keys stay first; hold-rate, bounds, effect and looks follow."""
    looks = {"accuracy": ((0.1, 0.3),) * 24}
    found = evidence({FAILS_ON_NOISY: measured(margins(23), accuracy=[0.2] * 24, draws=looks)})

    fields = claim_json(claim_named(FAILS_ON_NOISY), found)

    assert fields["verdict"] == "reproduced"
    assert fields["replication"]["held"] == 23
    assert fields["looks"]["accuracy"]["percentile"] == 50
    assert claim_json(claim_named(FAILS_ON_NOISY))["replication"] is None


def test_the_rule_states_its_power():
    """With 24 worlds: 23 and 1, and what a true claim's chances are; fewer than 20 judge nothing."""
    assert "at least 23 of 24 worlds hold, refuted where at most 1 do" in rule(24)
    assert (
        "true in 95%, 97%, 99% of worlds is called reproduced with probability 0.66, 0.84, 0.98"
        in (rule(24))
    )
    assert "no verdict" in rule(19)
