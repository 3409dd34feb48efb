"""What changed since a baseline: figures against evidence, and claims."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from mnistrobust.comparison import tables
from mnistrobust.comparison.changes import compare
from mnistrobust.comparison.runs import run_of
from mnistrobust.errors import UsageError
from mnistrobust.evidence.results import Outcome
from mnistrobust.judging.intervals import Scale, deviations, difference_bound
from mnistrobust.judging.regression import direction
from mnistrobust.registry import claim_named
from mnistrobust.replicates.keys import code_digests
from specs.helpers.runs_by_hand import run
from specs.helpers.synthetic import FAILS_ON_NOISY, FIVES, WINS, evidence, measured, spread

FOUND = evidence({WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01))})


def changes(before, after, found=FOUND):
    return compare(before, after, name="before", evidence=found)


def test_an_equal_run_changes_nothing():
    """Nothing moved, nothing is worse."""
    found = changes(run(), run())

    assert (found.figures, found.turns, found.worse) == ((), (), ())
    assert "nothing changed" in shown(found)
    assert "standard deviations" not in shown(found)  # there is no figure that they explain


def test_all_that_is_compared_shares_one_rate_of_false_alarms():
    """Two replicates differ by as much as the bound, in any figure or margin, in 1% of comparisons."""
    found = changes(run(), run())

    assert found.compared > 1
    assert found.bound == pytest.approx(difference_bound(24, 0.01 / found.compared))


@pytest.mark.parametrize(
    ("after", "word", "worse"),
    [(0.5, "worse", True), (0.79, "worse", False), (0.95, "suspiciously better", False)],
)
def test_a_figure_is_worse_beyond_what_replicates_differ_by(after, word, worse):
    """A fall of thirty deviations is, one of one is not; a rise of thirty is suspicious."""
    found = changes(run(noisy=0.8), run(noisy=after))

    (moved,) = found.figures
    assert (moved.claim, moved.name, moved.word) == (WINS, "noisy", word)
    assert math.copysign(1, moved.deviations) == math.copysign(1, after - 0.8)
    away = f"{abs(moved.deviations):.1f} standard deviations of 24 seeds"
    assert [line.rpartition(", ")[2] for line in found.worse] == [away] * worse
    assert bool(found.suspicious) is (word == "suspiciously better")


def test_deviations_are_those_of_the_replicates():
    """On the plain scale, the quotient; two more replicates differ by sqrt(2) of them."""
    values = spread(0.2, 0.01)
    sd = np.std(values, ddof=1)

    away = deviations(0.2, 0.25, values, Scale(kind="plain", images=1000))

    assert away == pytest.approx(0.05 / sd)
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(20_000, 2)) @ [1, -1]
    spreads = np.sqrt(rng.chisquare(23, size=20_000) / 23)
    assert np.mean(abs(pairs / spreads) > difference_bound(24, 0.05)) == pytest.approx(
        0.05, abs=0.006
    )


def test_replicates_that_do_not_differ_differ_by_an_image():
    """Where all replicates say 1, half of the images lost is many deviations, and no division by 0."""
    scale = Scale(kind="share", images=1000)

    assert -2 < deviations(1.0, 0.9995, [1.0] * 24, scale) < 0
    assert deviations(1.0, 0.5, [1.0] * 24, scale) < -5


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_distance_below_a_bound_deviates_as_its_share_does(share):
    """The margin of "at most 0.9" is 0.9 less the share; an image changes both by as much."""
    below = Scale(kind="share", images=1000, origin=0.9, sign=-1)

    away = deviations(0.9 - share, 0.4, [0.9 - share] * 24, below)

    expected = deviations(share, 0.5, [share] * 24, Scale(kind="share", images=1000))
    assert away == pytest.approx(expected)
    assert abs(away) > 5


@pytest.mark.parametrize(
    ("claim", "name", "difference", "said"),
    [
        ("ann.noisy_plus_noise_fails_on_noisy", "accuracy", 0.1, "better"),
        ("ann.noisy_plus_noise_fails_on_noisy", "loss", 0.1, "worse"),
        ("cnn.is_not_confident_on_pure_noise", "confident", -0.1, "better"),
        ("ann.noise_class_catches_pure_noise", "digits_predicted_noise", 0.1, "worse"),
        ("ann.noise_class_catches_pure_noise", "margin", -0.1, "neutral"),
        ("cnn.takes_three_dimensional_input", "dimensions", 1.0, "neutral"),
        ("cnn.intelligence_at_1000_rows", "accuracy", 0.0, "neutral"),
    ],
)
def test_the_registry_says_which_way_a_figure_is_worse(claim, name, difference, said):
    """A margin is the truth of a sentence, which is neither."""
    assert direction(claim_named(claim), name, difference) == said


def test_a_figure_that_the_registry_does_not_declare_has_no_direction():
    """Its claim and the nearest figure are named."""
    with pytest.raises(UsageError, match=r"Unknown figure of cnn.intelligence.*'accuracy'"):
        direction(claim_named("cnn.intelligence_at_1000_rows"), "acuracy", 0.1)


def test_a_claim_that_turns_is_named():
    """With its outcomes, also where the evidence failed the spec."""
    after = Outcome(id=WINS, seed=0, figures={"noisy": 0.8}, margin=-0.3, error="not allowed")

    found = changes(run(), run(after))

    (turn,) = found.turns
    assert f"{turn.claim}: {turn.before} → {turn.after}" in tables.changed(found).notes
    assert (turn.claim, turn.before, turn.after, turn.beyond) == (
        WINS, "holds", "does not hold", True,
    )  # fmt: skip
    assert found.worse == (f"{WINS} does not hold any more",)


def test_a_spec_that_fails_is_worse():
    """Without figures there is nothing else to say."""
    found = changes(run(), run(Outcome(id=WINS, seed=0, error="no figure")), found=None)

    assert found.worse == (f"{WINS} failed: no figure",)


@pytest.mark.parametrize("few", [None, "replicates", "digest"])
def test_without_evidence_no_figure_is_worse(few):
    """Nobody knows how much seeds differ: figures have no deviations, and the line says so."""
    found = {
        None: None,
        "replicates": evidence(
            {WINS: measured(spread(0.2, 0.01, 19), noisy=spread(0.8, 0.01, 19))}
        ),
        "digest": evidence(dict(FOUND.claims), digest="0" * 64),
    }[few]

    fallen = changes(run(), run(noisy=0.1), found)

    assert fallen.figures[0].deviations is None
    assert fallen.worse == ()
    assert "There is no evidence of this data set" in shown(fallen)


def test_what_one_run_lacks_is_named():
    """Another claim is not compared and not passed over."""
    other = Outcome(id=FIVES, seed=0, figures={"fives": 0.1}, margin=-0.4)

    found = changes(run(), run(other))

    assert found.unmatched == tuple(sorted((WINS, FIVES)))
    assert found.figures == ()
    assert "not compared" in shown(found)


def test_changed_code_and_versions_are_named():
    """What explains the rest."""
    after = run(code={"recipe ann": "2"})
    newer = replace(after, results=replace(after.results, versions={"numpy": "3"}))

    found = changes(run(), newer)

    assert (found.code, found.versions) == (("recipe ann",), {"numpy": ("2", "3")})


def shown(found, width=80):
    console = Console(width=width, file=StringIO(), highlight=False)
    tables.print_changes(found, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_shows_what_matters_first(width):
    """The verdict, then figures; no line is wider than the terminal."""
    found = changes(run(noisy=0.8), run(noisy=0.5))

    text = shown(found, width)

    assert text.splitlines()[1].startswith(f"WORSE: {WINS} noisy 0.8 → 0.5")
    assert "standard deviations over 24 seeds" in text
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


EVIL = "\x1b[31m<script>|=cmd|' /C calc'!A0\n[red]"


def test_foreign_text_is_inert():
    """In an error of a spec, on the terminal."""
    text = shown(changes(run(), run(Outcome(id=WINS, seed=0, error=EVIL))), 200)

    assert "\x1b" not in text
    assert "\\x1b" in text
    assert "[red]" in text


def test_many_changes_are_counted_behind_the_first_rows():
    """On a terminal; the report has them all."""
    names = (WINS, FIVES, FAILS_ON_NOISY)
    before, after = (
        run(*(Outcome(id=name, seed=0, figures=dict.fromkeys("abcdefgh", value)) for name in names))
        for value in (0.8, 0.7)
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnistrobust.comparison.changes.direction", lambda *_: "worse")
        found = changes(before, after, None)

    assert len(found.figures) == 24
    assert f"and {24 - tables._ROWS} more; the report names them all" in shown(found)
    assert len(tables.changed(found).tables[0][1]) == 24


def test_a_run_is_of_todays_code():
    """What it is compared with says what changed since."""
    made = run_of(run().results)

    assert (made.results, made.code) == (run().results, code_digests())
    assert datetime.now(UTC) - datetime.fromisoformat(made.made) < timedelta(minutes=10)


def test_json_has_every_figure():
    """As the report reads it, with what became worse in words."""
    found = changes(run(noisy=0.8), run(noisy=0.5))

    fields = json.loads(json.dumps(found.to_json()))

    assert fields["figures"][0]["direction"] == "worse"
    assert fields["figures"][0]["difference"] == pytest.approx(-0.3)
    assert fields["worse"] == list(found.worse)
    assert (fields["replicates"], fields["baseline"]) == (24, "before")


def test_the_page_has_a_row_for_each_change():
    """The verdict is a sentence; figures have a table."""
    found = changes(run(noisy=0.8), run(noisy=0.5))

    page = tables.changed(found)
    ((columns, figures),) = page.tables

    assert any(note.startswith("WORSE") for note in page.notes)
    assert columns == ["figure", "before", "now", "sd", "change"]
    (figure,) = [row for row in figures if row[0] == f"{WINS} noisy"]
    assert (*figure[1:3], figure[4]) == ("0.8000", "0.5000", "worse")
