"""The verdict on two sides: rows, directions, tolerance, seeds."""

import json
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from mnistrobust.checks.metrics import equal_width
from mnistrobust.comparison import page, text
from mnistrobust.comparison.sides import DIGITS, PERTURBED, SCALE, Predicted
from mnistrobust.comparison.verdict import BETTER, FIGURES, SAME, WORSE, compare, labels_of
from mnistrobust.errors import UsageError
from specs.helpers.sides import side


def verdicts(comparison):
    return {row.name: row.verdict for row in comparison.rows if row.verdict != SAME}


def test_equal_sides_show_no_difference(mnist5k):
    """Every row is there: accuracy, recall of each digit, loss, calibration, confidence on noise."""
    found = compare(side(mnist5k), side(mnist5k), mnist5k)

    assert (found.verdict, verdicts(found)) == (SAME, {})
    assert {row.figure for row in found.rows} == set(FIGURES)
    assert len(found.rows) == 28 + len(PERTURBED)
    assert all(row.paired.difference == 0 and row.p == 1 and row.smallest > 0 for row in found.rows)
    clean, threshold = (
        next(row for row in found.rows if row.name == f"accuracy on {name}")
        for name in ("clean", "threshold")
    )
    assert clean.smallest < threshold.smallest, "half of the level is for clean digits"
    certain = replace(clean, smallest=0.0)
    assert [text.cells_of(row)[4] for row in (certain, clean)] == ["–", f"{clean.smallest:.4f}"]


@pytest.mark.parametrize("name", ["clean", "offset-noise", "inverted", "threshold"])
def test_a_lost_accuracy_is_worse_where_it_is_lost(name, mnist5k):
    """A hundred images lost, from either side, and in no other set."""
    good, bad = (
        side(mnist5k),
        side(mnist5k, wrong={name: 100 * (8 if name == "offset-noise" else 1)}),
    )

    worse, better = compare(good, bad, mnist5k), compare(bad, good, mnist5k)

    assert worse.verdict == WORSE
    assert verdicts(worse)[f"accuracy on {name}"] == WORSE
    assert verdicts(better)[f"accuracy on {name}"] == BETTER
    assert all(name in row or "recall" in row for row in verdicts(worse))


def test_an_image_that_every_draw_loses_is_one_lost_image(mnist5k):
    """The draws of offset noise follow each other; an image is the mean of its own."""
    labels = labels_of("offset-noise", mnist5k)
    wrong = np.arange(len(labels)) % 1000 < 100
    new = side(mnist5k)
    lost = np.where(wrong, (labels + 1) % 10, labels)[None].astype(np.uint8)
    noisy = replace(new.sets["offset-noise"], prediction=lost)
    found = compare(side(mnist5k), replace(new, sets={**new.sets, "offset-noise": noisy}), mnist5k)

    (row,) = (each for each in found.rows if each.name == "accuracy on offset-noise")
    assert (row.paired.n, row.paired.lost, row.paired.gained) == (1000, 100, 0)


def test_a_lost_digit_is_named(mnist5k):
    """Its recall is worse, and that of no other digit."""
    good, bad = side(mnist5k), side(mnist5k)
    sevens = mnist5k.test_labels == 7
    clean = bad.sets["clean"]
    lost = replace(clean, prediction=np.where(sevens, 1, clean.prediction).astype(np.uint8))

    found = compare(good, replace(bad, sets={**bad.sets, "clean": lost}), mnist5k)

    recalls = {row: word for row, word in verdicts(found).items() if "recall" in row}
    assert recalls == {"recall of 7": WORSE}


def test_more_confidence_on_noise_is_worse(mnist5k):
    """Less is better; a rounding difference is none."""
    low = side(mnist5k, noise=0.4)

    assert compare(low, side(mnist5k, noise=0.41), mnist5k).verdict == WORSE
    assert compare(low, side(mnist5k, noise=0.39), mnist5k).verdict == BETTER
    rounded = low, side(mnist5k, noise=0.4005), mnist5k
    assert compare(*rounded).verdict == SAME
    assert compare(*rounded, tolerance={"confidence": 0.0001}).verdict == SAME, "nor by less"


@pytest.mark.parametrize("name", ["clean", "uniform", "offset-noise"])
def test_sides_of_other_numbers_of_images_are_refused(name, mnist5k):
    """Whatever made them: their images are not the same."""
    whole = side(mnist5k)
    parts = {part: values[:, :30] for part, values in vars(whole.sets[name]).items()}
    cut = replace(whole, sets={**whole.sets, name: replace(whole.sets[name], **parts)})

    for sides in ((whole, cut), (cut, whole)):
        with pytest.raises(UsageError, match=f"{name}: predictions of 30 and [0-9,]+ images"):
            compare(*sides, mnist5k)


def test_worse_calibration_is_worse(mnist5k):
    """The same predictions, none of them wrong, by a network that is less confident."""
    found = compare(side(mnist5k), side(mnist5k, confidence=0.5), mnist5k)

    assert verdicts(found)["calibration on clean"] == WORSE
    assert verdicts(found)["nll on clean"] == WORSE
    row = next(row for row in found.rows if row.name == "calibration on clean")
    assert (row.old, row.new) == pytest.approx((0.1, 0.5), abs=1e-4)


def test_images_are_lost_and_gained_by_accuracy_and_recall_alone(mnist5k):
    """Where a model is always certain, other figures are 0 or 1 for each image, too; less is better."""
    old, new = (
        replace(each, sets={name: replace(one, confidence=np.full_like(one.confidence, SCALE))
                            for name, one in each.sets.items()})
        for each in (side(mnist5k, wrong={"clean": 60}), side(mnist5k))
    )  # fmt: skip
    rows = {row.name: row for row in compare(old, new, mnist5k).rows}
    counts = {name: (row.paired.lost, row.paired.gained) for name, row in rows.items()}

    assert counts["accuracy on clean"] == (0, 60)
    assert (rows["calibration on clean"].old, rows["calibration on clean"].verdict) == (
        0.06,
        BETTER,
    )
    assert {row.figure for row in rows.values() if row.paired.lost is not None} == {
        "accuracy",
        "recall",
    }


def test_a_tolerance_accepts_what_it_says(mnist5k):
    """Sixty images of a thousand are lost; who accepts 10% of accuracy and recall sees none."""
    sides = side(mnist5k), side(mnist5k, wrong={"clean": 60})

    def accuracy(**tolerance):
        return verdicts(compare(*sides, mnist5k, tolerance=tolerance)).get("accuracy on clean")

    assert (accuracy(), accuracy(accuracy=0.01), accuracy(accuracy=0.1)) == (WORSE, WORSE, None)
    with pytest.raises(UsageError, match="Unknown figure 'acuracy': did you mean 'accuracy'"):
        accuracy(acuracy=0.1)


def test_calibration_is_the_mean_gap_of_each_bin(mnist5k):
    """Doubt of the right ones in one bin does not make up for certainty of wrong ones in the next."""
    new = side(mnist5k, wrong={"clean": 100})
    sure = np.where(np.arange(1000) < 100, 0.95, 0.88)[None]
    clean = replace(new.sets["clean"], confidence=(sure * SCALE).astype(np.uint16))
    found = compare(side(mnist5k), replace(new, sets={**new.sets, "clean": clean}), mnist5k)

    (row,) = (each for each in found.rows if each.name == "calibration on clean")
    assert row.new == pytest.approx(0.1 * 0.95 + 0.9 * 0.12, abs=1e-4)


def test_calibration_is_that_of_check(mnist5k):
    """Also where confidences lie on the edges of bins, as those of a forest of 5 trees do."""
    rng = np.random.default_rng(0)
    sure, wrong = rng.integers(1, 6, 1000) / 5, rng.random(1000) < 0.4
    sure[::2] += 1 / SCALE - 2 * (sure[::2] == 1) / SCALE
    labels = labels_of("clean", mnist5k)
    clean = Predicted(
        prediction=np.where(wrong, (labels + 1) % 10, labels)[None].astype(np.uint8),
        confidence=np.rint(sure * SCALE)[None].astype(np.uint16),
        loss=np.ones((1, 1000), np.float16),
    )
    new = side(mnist5k)
    found = compare(side(mnist5k), replace(new, sets={**new.sets, "clean": clean}), mnist5k)

    (row,) = (each for each in found.rows if each.name == "calibration on clean")
    assert row.new == pytest.approx(equal_width(sure, ~wrong).error)


def test_seeds_have_to_match(mnist5k):
    """One network is not compared with the mean of three."""
    one, three = side(mnist5k, "one"), side(mnist5k, "three", seeds=(1, 2, 3))

    with pytest.raises(UsageError, match="one has no seeds, three the seeds 1, 2, 3"):
        compare(one, three, mnist5k)
    assert compare(three, three, mnist5k).verdict == SAME


def test_the_images_that_flipped_are_listed(mnist5k):
    """By position; with several draws, the majority of the draws counts."""
    found = compare(side(mnist5k), side(mnist5k, wrong={"clean": 3}), mnist5k)

    assert found.flipped("clean") == {"lost": [0, 1, 2], "gained": []}
    fields = json.loads(json.dumps(found.to_json()))
    assert fields["flipped"]["clean"]["lost"] == [0, 1, 2]
    assert fields["verdict"] == SAME
    assert fields["dataset"]["name"] == "mnist5k"


def test_the_sentence_names_the_condition_and_the_digit(mnist5k):
    """The most significant first, with images; without a difference, what would be seen."""
    worse = text.sentence(compare(side(mnist5k), side(mnist5k, wrong={"inverted": 300}), mnist5k))
    same = text.sentence(compare(side(mnist5k), side(mnist5k), mnist5k))
    near = text.sentence(compare(side(mnist5k), side(mnist5k, wrong={"clean": 1}), mnist5k))
    surer = text.sentence(compare(side(mnist5k), side(mnist5k, confidence=0.9001), mnist5k))

    assert worse.startswith("Worse: ")
    assert "accuracy on inverted 1.0000 → 0.7000, 300 images lost, 0 gained" in worse
    assert same == "No difference seen: the predictions are the same."
    assert surer.startswith("No difference seen; a change of ")
    assert near.startswith("No difference seen; a change of 0.0")


@pytest.mark.parametrize(
    ("rows", "besides"),
    [(3, ""), (4, " Besides, 1 more figure is worse."), (5, " Besides, 2 more figures are worse.")],
)
def test_figures_that_the_sentence_does_not_name_are_counted(rows, besides, mnist5k):
    """It names three."""
    found = compare(
        side(mnist5k), side(mnist5k, wrong={"inverted": 300, "threshold": 300}), mnist5k
    )
    said = text.sentence(replace(found, rows=tuple(found.of(WORSE)[:rows])))

    assert said.count("; ") == 2
    assert said.endswith(besides)
    assert said.count("Besides") == bool(besides)


def test_a_change_is_told_with_half_of_its_interval(mnist5k):
    """That of 300 lost images, to three digits."""
    found = compare(side(mnist5k), side(mnist5k, wrong={"inverted": 300}), mnist5k)
    (row,) = (each for each in found.rows if each.name == "accuracy on inverted")

    half = (row.paired.high - row.paired.low) / 2
    assert 0.01 < half < 0.05
    assert text.cells_of(row)[3] == f"-0.3000 ± {half:.3f}"


def test_the_most_doubtful_of_too_few_seeds_is_told(mnist5k):
    """That which is least likely by chance."""
    found = compare(side(mnist5k), side(mnist5k), mnist5k)
    doubts = {
        "accuracy on inverted": (0.02, 9),
        "nll on clean": (0.01, 7),
        "recall of 3": (0.03, 5),
    }
    rows = [
        replace(
            row, enough_seeds=doubts[row.name][1], paired=replace(row.paired, p=doubts[row.name][0])
        )
        if row.name in doubts
        else row
        for row in compare(side(mnist5k), side(mnist5k, confidence=0.9001), mnist5k).rows
    ]

    said = text.sentence(replace(found, rows=tuple(rows), new=side(mnist5k, confidence=0.9001)))

    assert "too few to tell: nll on clean differs by" in said
    assert said.endswith("; about 7 seeds would do.")


def test_one_screen_has_the_documents_conditions_and_what_differs(mnist5k):
    """Loss and calibration of clean digits, doses of one's own, and of the rest what changed."""
    own = {"fade:0.25": side(mnist5k).sets["rotate:34.5"]}
    sides = [side(mnist5k), side(mnist5k, wrong={"rotate:34.5": 200})]
    sides = [replace(each, sets={**each.sets, **own}) for each in sides]

    rows = text.shown(compare(*sides, mnist5k))

    names = [row.name for row in rows]
    assert names == [
        *(f"accuracy on {on}" for on in DIGITS), "accuracy on fade:0.25", "nll on clean",
        "calibration on clean", "accuracy on rotate:34.5",
    ]  # fmt: skip
    recall = next(row for row in compare(*sides, mnist5k).rows if row.figure == "recall")
    told = {each: text.cells_of(row)[0] for each, row in zip(names, rows, strict=True)}
    assert text.cells_of(recall)[0] == "recall, digit 0"
    assert (told["nll on clean"], told["accuracy on rotate:34.5"]) == ("nll, clean", "rotate:34.5")


def test_rows_that_are_left_out_are_counted_by_verdict(mnist5k):
    """What is worse as worse, what is better as better."""
    good, bad = side(mnist5k), side(mnist5k, wrong={"threshold": 300})
    for found, counts in (
        (compare(good, bad, mnist5k), "(3 worse, 0 better)"),
        (compare(bad, good, mnist5k), "(0 worse, 3 better)"),
    ):
        assert len(found.of(WORSE)) + len(found.of(BETTER)) == 3  # accuracy, nll, calibration
        assert f"Left out: {len(found.rows)} rows {counts}" in " ".join(text.notes(found, []))


def test_too_few_seeds_to_tell_are_said_to_be_so(mnist5k):
    """With how many would do; as many seeds of the same spread see the difference."""

    def compared(seeds):
        sides = [side(mnist5k, seeds=range(1, seeds + 1)) for _ in range(2)]
        lost = sides[1].sets["inverted"]
        wrong = lost.prediction.copy()
        for seed, images in zip(range(seeds), cycle((250, 300, 350, 400))):
            wrong[seed, :images] = (wrong[seed, :images] + 1) % 10
        sets = {**sides[1].sets, "inverted": replace(lost, prediction=wrong)}
        return compare(sides[0], replace(sides[1], sets=sets), mnist5k)

    few = compared(4)
    enough = next(row.enough_seeds for row in few.rows if row.name == "accuracy on inverted")

    assert text.sentence(few).startswith(
        "No difference seen, but 4 seeds are too few to tell: accuracy on inverted differs by -0.3250 ± 0.0"
    )
    assert text.sentence(few).endswith(f"; about {enough} seeds would do.")
    more = compared(enough)
    assert verdicts(more)["accuracy on inverted"] == WORSE
    assert not any(row.enough_seeds for row in more.rows if row.name == "accuracy on inverted")


def test_the_sentence_counts_what_it_does_not_name(mnist5k):
    """By verdict, in words; three figures are named."""
    wrong = dict.fromkeys(("clean", "inverted", "threshold"), 300)
    found = compare(side(mnist5k, noise=0.8), side(mnist5k, wrong=wrong, noise=0.3), mnist5k)

    more, better = len(found.of(WORSE)) - 3, len(found.of(BETTER))
    said = f". Besides, {more} more figures are worse and {better} better."
    assert text.sentence(found).endswith(said)
    assert more > 0 < better


def test_markdown_has_at_most_30_lines(mnist5k):
    """However much differs; names are inert."""
    bad = side(mnist5k, "![x](y)", wrong=dict.fromkeys(("clean", "threshold"), 900), noise=0.9)

    shown = text.markdown(compare(side(mnist5k), bad, mnist5k))

    assert len(shown.splitlines()) <= 30
    assert "![x]" not in shown


def test_junit_fails_for_what_is_worse(mnist5k):
    """A case for each row, and a failure for each that the exit code counts."""
    found = compare(side(mnist5k), side(mnist5k, wrong={"threshold": 300}), mnist5k)

    strict = text.junit(found, fail=frozenset({WORSE})).decode()
    none = text.junit(found, fail=frozenset()).decode()

    assert (strict.count("<testcase"), none.count("<failure")) == (28 + len(PERTURBED), 0)
    assert strict.count("<failure") == len(found.of(WORSE)) > 0


@pytest.mark.slow
def test_the_page_has_three_pictures(mnist5k):
    """Differences, flipped digits and confusion; names are inert, and nothing is loaded."""
    bad = side(mnist5k, "<b>", wrong={"clean": 300})

    shown = page.html(compare(side(mnist5k), bad, mnist5k))

    assert shown.count('src="data:image/png;base64,') == 3
    assert "<b>" not in shown
    assert "http" not in shown


def test_a_loss_under_one_perturbation_is_named(mnist5k):
    """Each of ours has a row; what a side has no predictions for has none."""
    bad = side(mnist5k, wrong={"rotate:34.5": 200})
    lacking = replace(bad, sets={name: bad.sets[name] for name in bad.sets if ":" not in name})

    found = compare(side(mnist5k), bad, mnist5k)

    assert verdicts(found) == {"accuracy on rotate:34.5": WORSE}
    assert len(compare(side(mnist5k), lacking, mnist5k).rows) == 28
