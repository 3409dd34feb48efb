"""What changed since a baseline: figures against evidence, claims, and single images."""

import json
import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from runs_by_hand import LABELS, run, wrong
from synthetic import FIVES, WINS, evidence, measured, spread

from mnistrobust import changes_view
from mnistrobust.changes import compare
from mnistrobust.checking import direction
from mnistrobust.flips import adjusted, flips, mcnemar
from mnistrobust.intervals import Scale, deviations, difference_bound
from mnistrobust.ledger import Outcome

FOUND = evidence({WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01))})


def changes(before, after, found=FOUND):
    return compare(before, after, name="before", evidence=found)


def test_an_equal_run_changes_nothing():
    """Nothing moved, nothing flipped, nothing is worse."""
    found = changes(run(), run())

    assert (found.figures, found.flips, found.turns, found.worse) == ((), (), (), ())
    assert "nothing changed" in shown(found)
    assert "standard deviations" not in shown(found)  # there is no figure that they explain


@pytest.mark.parametrize(
    ("after", "word", "worse"),
    [(0.5, "worse", True), (0.79, "worse", False), (0.95, "suspiciously better", False)],
)
def test_a_figure_is_worse_beyond_what_worlds_differ_by(after, word, worse):
    """A fall of thirty deviations is, one of one is not; a rise of thirty is suspicious."""
    found = changes(run(noisy=0.8), run(noisy=after))

    (moved,) = found.figures
    assert (moved.claim, moved.name, moved.word) == (WINS, "noisy", word)
    assert math.copysign(1, moved.deviations) == math.copysign(1, after - 0.8)
    assert bool(found.worse) is worse
    assert bool(found.suspicious) is (word == "suspiciously better")


def test_deviations_are_those_of_the_worlds():
    """On a margin's scale, the plain quotient; two more worlds differ by sqrt(2) of them."""
    values = spread(0.2, 0.01)
    sd = np.std(values, ddof=1)

    away = deviations(0.2, 0.25, values, Scale(kind="margin", images=1000))

    assert away == pytest.approx(0.05 / sd)
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(20_000, 2)) @ [1, -1]
    spreads = np.sqrt(rng.chisquare(23, size=20_000) / 23)
    assert np.mean(abs(pairs / spreads) > difference_bound(24, 0.05)) == pytest.approx(
        0.05, abs=0.006
    )


def test_worlds_that_do_not_differ_differ_by_an_image():
    """Where all worlds say 1, half of the images lost is many deviations, and no division by 0."""
    scale = Scale(kind="share", images=1000)

    assert -2 < deviations(1.0, 0.9995, [1.0] * 24, scale) < 0
    assert deviations(1.0, 0.5, [1.0] * 24, scale) < -5


@pytest.mark.parametrize(
    ("name", "difference", "said"),
    [
        ("accuracy", 0.1, "better"),
        ("loss", 0.1, "worse"),
        ("sure", -0.1, "better"),
        ("digits_taken", 0.1, "worse"),
        ("margin", -0.1, "neutral"),
        ("dimensions", 1.0, "neutral"),
        ("accuracy", 0.0, "neutral"),
    ],
)
def test_the_name_of_a_figure_says_which_way_is_worse(name, difference, said):
    """A margin is the truth of a sentence, which is neither."""
    assert direction(name, difference) == said


def test_a_claim_that_turns_is_named():
    """With its outcomes, also where the evidence failed the spec."""
    after = Outcome(id=WINS, seed=0, figures={"noisy": 0.8}, margin=-0.3, error="not allowed")

    found = changes(run(), run(after))

    (turn,) = found.turns
    assert (turn.claim, turn.before, turn.after, turn.beyond) == (
        WINS, "holds", "does not hold", True,
    )  # fmt: skip
    assert found.worse == (f"{WINS} does not hold any more",)


def test_a_spec_that_fails_is_worse():
    """Without figures there is nothing else to say."""
    found = changes(run(), run(Outcome(id=WINS, seed=0, error="no figure")), found=None)

    assert found.worse == (f"{WINS} failed: no figure",)


@pytest.mark.parametrize("few", [None, "worlds", "digest"])
def test_without_evidence_images_decide(few):
    """Ten images lost and none gained are more than chance; figures have no deviations."""
    found = {
        None: None,
        "worlds": evidence({WINS: measured(spread(0.2, 0.01, 19), noisy=spread(0.8, 0.01, 19))}),
        "digest": evidence(dict(FOUND.claims), digest="0" * 64),
    }[few]

    lost = changes(run(), run(answers=wrong(*range(10)), noisy=0.1), found)
    one = changes(run(), run(answers=wrong(3)), found)
    gained = changes(run(answers=wrong(*range(10))), run(), found)

    assert lost.figures[0].deviations is None
    assert lost.worse == ("ann on clean lost 10 images and gained 0 (p 0.002)",)
    assert lost.flips[0].lost == tuple(range(10))
    assert (one.worse, gained.worse) == ((), ())
    assert gained.flips[0].gained == tuple(range(10))


def test_images_alone_are_not_worse_than_the_evidence():
    """Two seeds differ by as many images: with evidence, figures decide."""
    found = changes(run(), run(answers=wrong(*range(10))))

    assert found.flips[0].significant
    assert found.worse == ()


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (1, 7, 18 / 256)]
)
def test_mcnemar_is_exact(lost, gained, p):
    """Twice the tail of the binomial, by hand."""
    assert mcnemar(lost, gained) == pytest.approx(p)


@pytest.mark.slow
def test_mcnemar_agrees_with_scipy():
    """For every pair of small counts."""
    from scipy.stats import binomtest

    for lost in range(12):
        for gained in range(12 - lost):
            expected = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
            assert mcnemar(lost, gained) == pytest.approx(expected)


def test_an_image_with_several_draws_counts_once():
    """Thirty-two draws of one offset are no thirty-two images."""
    labels = LABELS.repeat(4, axis=0)
    after = labels.copy()
    after[:, 2] += 1  # lost in all draws
    after[0, 3] += 1  # in one draw
    before = labels.copy()
    before[1, 3] += 1  # which another gains

    found = flips("ann", "offset-noise", before, after, labels, classes=20)

    assert (found.lost, found.gained, found.changed, found.n) == ((2,), (), 6, 80)


def test_noise_has_no_right_answer_for_a_digit_classifier():
    """Other answers are counted; a noise class can be right."""
    noise = np.full_like(LABELS, 10)

    digits = flips("ann", "pure-noise", LABELS, wrong(1), noise, classes=10)
    with_class = flips("ann", "pure-noise", noise, LABELS, noise, classes=11)

    assert (digits.p, digits.lost, digits.changed) == (None, (), 1)
    assert len(with_class.lost) == 20


def test_holm_corrects_for_all_tests():
    """Three p-values by hand; what has none gets none."""
    base = flips("ann", "clean", LABELS, LABELS, LABELS, classes=10)
    values = {"a": 0.04, "b": 0.01, "c": 0.03, "none": None}

    found = adjusted([replace(base, view=view, p=p) for view, p in values.items()])

    assert [each.adjusted for each in found] == [
        pytest.approx(0.06), pytest.approx(0.03), pytest.approx(0.06), None,
    ]  # fmt: skip


def test_what_one_run_lacks_is_named():
    """Another claim, and a view with other images, are not compared and not passed over."""
    other = Outcome(id=FIVES, seed=0, figures={"fives": 0.1}, margin=-0.4)

    found = changes(run(), run(other, labels=LABELS[:, ::-1]))

    assert found.unmatched == (WINS, FIVES, "ann on clean")
    assert (found.figures, found.flips) == ((), ())
    assert "not compared" in shown(found)


def test_changed_code_and_versions_are_named():
    """What explains the rest."""
    after = replace(run(code={"recipe ann": "2"}), versions={"numpy": "3"})

    found = changes(run(), after)

    assert (found.code, found.versions) == (("recipe ann",), {"numpy": ("2", "3")})


def shown(found, width=80):
    console = Console(width=width, file=StringIO(), highlight=False)
    changes_view.print_changes(found, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_shows_what_matters_first(width):
    """The verdict, then figures, then images; no line is wider than the terminal."""
    found = changes(run(noisy=0.8), run(noisy=0.5, answers=wrong(*range(10))))

    text = shown(found, width)

    assert text.splitlines()[1].startswith(f"WORSE: {WINS} noisy 0.8 → 0.5")
    assert ("0, 1, 2, 3, 4, 5 and 4 more" in " ".join(text.split())) is (width == 200)
    assert "McNemar's exact test" in text
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


EVIL = "\x1b[31m<script>|=cmd|' /C calc'!A0\n[red]"


def test_foreign_text_is_inert():
    """In an error of a spec, on the terminal and in Markdown."""
    found = changes(run(), run(Outcome(id=WINS, seed=0, error=EVIL)))

    markdown = changes_view.markdown(found)

    for text in (shown(found), markdown):
        assert "\x1b" not in text
        assert "\\x1b" in text.replace("\\\\", "\\")
    assert "<script>" not in markdown
    assert "[red]" in shown(found, 200)


def test_json_has_every_figure_and_image():
    """As the report reads it, with what became worse in words."""
    found = changes(run(noisy=0.8), run(noisy=0.5, answers=wrong(*range(10))))

    fields = json.loads(json.dumps(found.to_json()))

    assert fields["figures"][0]["direction"] == "worse"
    assert fields["figures"][0]["difference"] == pytest.approx(-0.3)
    assert fields["flips"][0]["lost"] == list(range(10))
    assert fields["worse"] == list(found.worse)
    assert (fields["worlds"], fields["baseline"]) == (24, "before")


def test_the_page_has_a_row_for_each_change():
    """The verdict, the figure and the network are rows of the same columns."""
    found = changes(run(noisy=0.8), run(noisy=0.5, answers=wrong(*range(10))))

    rows = changes_view.rows(found)

    assert {tuple(row) for row in rows} == {("what", "before", "now", "sd", "change")}
    assert any(row["what"].startswith("WORSE") for row in rows)
    (figure,) = [row for row in rows if row["what"] == f"{WINS} noisy"]
    assert (figure["before"], figure["now"], figure["change"]) == ("0.8000", "0.5000", "worse")
    assert rows[-1]["what"] == "ann on clean"
    assert rows[-1]["change"].startswith("lost 10, gained 0")
