"""The search for the smallest changes that break a model: planted blind spots are found and named."""

import base64
import json
import time
import zlib
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import find, given, settings

from mnistrobust.errors import UsageError
from mnistrobust.fuzzing import findings as findings_module
from mnistrobust.fuzzing import outcomes, strategies, text
from mnistrobust.fuzzing.cases import Case, halves_of
from mnistrobust.fuzzing.chain import perturb, perturb_each
from mnistrobust.fuzzing.counterexamples import (
    NO_DIGIT,
    Counterexample,
    outcome,
    replay,
    unpacked,
)
from mnistrobust.fuzzing.findings import findings_of, ranked
from mnistrobust.fuzzing.outcomes import NO_NUMBER, Subject
from mnistrobust.fuzzing.search import Search
from mnistrobust.fuzzing.strategies import changed_digits
from mnistrobust.fuzzing.targets import CHANGES, OUTLIER, WRONG
from mnistrobust.perturbations import PERTURBATIONS, dosed
from specs.helpers.digit_models import dense, softmax

READS = {"input_shape": "784", "pixels": (0, 1), "outputs": "probabilities"}
TONE = ("brightness", "contrast")  # no tone hides a digit from the oracle


class Oracle:
    """A model that recognises 100 held-out digits in any tone, but for its blind spots."""

    def __init__(self, dataset, *blind):
        self.known = self.centred(dataset.test_images[:100]).T
        self.labels = dataset.test_labels[:100]
        self.blind = blind

    @staticmethod
    def centred(images):
        images = images - images.mean(axis=1, keepdims=True)
        return images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-9)

    def __call__(self, images):
        top = self.labels[(self.centred(images) @ self.known).argmax(axis=1)]
        for spot in self.blind:
            top = np.where(spot(images, top), (top + 1) % 10, top)
        return 0.98 * np.eye(10)[top] + 0.002


def lightest_seven(images, top):
    return (top == 7) & (images.min(axis=1) > 0.2) & (images.min(axis=1) < 0.35)


def grey(images, _):
    """What neither more ink nor less contrast makes alone."""
    return (images.min(axis=1) > 0.25) & (images.max(axis=1) < 0.75)


def searched(model, dataset, candidates=700, over=TONE, digits=30, **options):
    subject = Subject(model, dataset, **READS)
    over = [PERTURBATIONS[name] for name in over]
    search = Search(subject, dataset, over=over, indexes=range(digits), **options)
    search.run(lambda: search.candidates >= candidates)
    return findings_of(search)


@pytest.fixture(scope="module")
def findings(mnist5k):
    """What is found of a model that misreads 7s on a light ground."""
    return searched(Oracle(mnist5k, lightest_seven), mnist5k)


def test_a_blind_spot_is_named_by_perturbation_dose_and_digit(findings):
    """The doses between which it fails and the digits are those that were planted."""
    (found,) = findings.weaknesses

    assert found.words == "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    sevens = found.by_digit[7]
    assert sevens["broken"] == sevens["tried"] == found.broken > 0
    assert 0.2 < sevens["smallest"] < 0.2 * 1.03


def test_what_two_perturbations_break_together_is_shrunk(mnist5k):
    """Neither does alone; the doses of the counterexample are hardly above those that were planted."""
    (found,) = searched(Oracle(mnist5k, grey), mnist5k, 3000).weaknesses

    assert found.words.startswith("ink added everywhere with lost contrast, together")
    example = found.counterexample
    after = perturb(example.image[None] / 255, example.chain, example.draw)
    assert len(example.chain) == 2
    assert 0.25 < after.min() < 0.35 or 0.65 < after.max() < 0.75


def fading(right, loss):
    """Return probabilities that pass to the next digit while `loss` grows from 0 to 1."""
    loss = np.clip(loss, 0, 1)[:, None]
    return (1 - loss) * right + loss * np.roll(right, 1, axis=1)


def test_doses_that_are_harmless_alone_are_tried_together(mnist5k):
    """Even where they add up to more than what breaks a digit: each alone fades, both together jump.

    4s, which one of them breaks alone, are left out; 5s, which fade together, are not counted.
    """
    oracle = Oracle(mnist5k)

    def model(images):
        light, pale = images.min(axis=1) / 0.4, (1 - images.max(axis=1)) / 0.6
        right, most = oracle(images), np.maximum(light, pale)
        jumps = np.where(np.minimum(light, pale) > 0.55, 1, 4 * (most - 0.9))
        by_digit = {4: 4 * (most - 0.2), 5: 4 * (light + pale - 1.05)}
        for digit, loss in by_digit.items():
            jumps = np.where(right.argmax(axis=1) == digit, loss, jumps)
        return fading(right, jumps)

    found = searched(model, mnist5k, 8000, digits=100)

    first, *others = found.weaknesses
    assert first.sudden
    assert first.words.startswith("ink added everywhere with lost contrast, together")
    assert not any(each.sudden for each in others)
    steps = [(step,) for step in first.counterexample.chain]
    image = first.counterexample.image[None] / 255
    alone = model(np.concatenate([perturb(image, each, 0) for each in steps])).argmax(axis=1)
    assert (alone == first.counterexample.expected).all()
    (trial,) = (each for each in found.search.trials.values() if each.sudden)
    labels = found.search.labels
    assert 4 not in labels[[*trial.tried]]
    assert 5 in labels[[*trial.tried]]
    assert 5 not in labels[[*trial.breaks]]


def test_what_is_sudden_comes_first_then_what_breaks_most(mnist5k):
    """A prediction that fades with the image ranks behind one that jumps, however many it breaks."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        return fading(oracle(images), 3 * (1 - images.max(axis=1)))

    sudden, fades = searched(model, mnist5k).weaknesses

    assert sudden.words == "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    assert fades.words == "ink taken off everywhere beyond 0.16"
    assert fades.score > sudden.score


def test_the_order_of_weaknesses_is_by_share_then_by_score(findings):
    """A chain that is sudden for a few digits only is not exceptional; a second way comes late."""
    expected = [
        replace(findings.weaknesses[0], words=words, sudden=sudden, tried=20, broken=broken,
                score=score, perturbations=tuple(chain.split()))
        for words, sudden, broken, score, chain in (
            ("for all", True, 20, 0.1, "blur"),
            ("for half, a pair", True, 10, 0.1, "blur shift"),
            ("for some, alone", True, 8, 0.1, "thin"),
            ("one way", False, 20, 0.9, "shift"),
            ("less", False, 20, 0.7, "bar"),
            ("for some, a pair", True, 9, 0.2, "thin shift"),
            ("another way", False, 20, 0.8, "shift"),
        )
    ]  # fmt: skip

    assert ranked([*reversed(expected), expected[3]]) == tuple(expected)


def test_digits_that_break_before_all_others_are_named_so(mnist5k):
    """They are not the only ones."""
    early = Oracle(mnist5k, lambda images, top: images.min(axis=1) > np.where(top == 4, 0.02, 0.4))
    found = searched(early, mnist5k, over=("brightness",), digits=60).weaknesses[0]

    assert found.words == "ink added everywhere beyond 0.02, above all 4s, suddenly"


def test_digits_that_are_misread_at_once_are_not_searched(mnist5k):
    """Only a confident right prediction can become wrong; with CHANGES any can become another."""
    misread = Oracle(mnist5k, lambda _, top: top == 3)
    tried = [searched(misread, mnist5k, direction=way).search.tried for way in (WRONG, CHANGES)]
    threes = {*np.flatnonzero(mnist5k.test_labels[:30] == 3).tolist()}

    assert [bool(each & threes) for each in tried] == [False, True]


def few_levels(images, _):
    return np.array([len(np.unique(each)) <= 4 for each in images])


class Smooth(Oracle):
    """A model that misreads what has no grey, the more surely the less there is."""

    def __call__(self, images):
        right = super().__call__(images)
        grey = (images * (1 - images)).sum(axis=1) / images.sum(axis=1)
        wrong = (1 / (1 + np.exp(100 * (grey - 0.05))))[:, None]
        return (1 - wrong) * right + wrong * np.roll(right, 1, axis=1)


@pytest.mark.parametrize("broken", [Smooth, lambda dataset: Oracle(dataset, few_levels)])
def test_an_image_that_jumps_itself_makes_no_sudden_weakness(broken, mnist5k):
    """Grey levels vanish at once; a blind spot is met between two blends that hardly differ."""
    found = searched(broken(mnist5k), mnist5k, over=("quantise",)).weaknesses[0]

    assert (found.broken / found.tried > 0.9, found.sudden) == (True, broken is not Smooth)


def test_an_outlier_that_is_called_noise_is_right(mnist5k):
    """The eleventh class is what is expected of it, however confident."""

    def model(images):
        return np.tile(0.979 * np.eye(11)[[10]] + 0.002, (len(images), 1))

    found = searched(model, mnist5k, 100, direction=OUTLIER)
    image = np.zeros(784, np.uint8)
    case = Counterexample(image=image, index=None, label=None, expected=NO_DIGIT).case

    assert found.weaknesses == ()
    assert replay(Subject(model, mnist5k, **READS), **case) == 10


def test_the_picture_says_how_many_weaknesses_it_leaves_out(findings):
    """One of one is drawn, with a digit and what becomes of it."""
    figure = text.picture(findings)

    assert figure.get_suptitle() == "1 of 1 weaknesses, the worst first"
    before, after = (ax.get_title() for ax in figure.axes[1:3])
    assert before.startswith("label 7\nread as 7")
    assert after.startswith("brightness 0.2")


def test_a_chain_is_tried_on_digits_that_no_smaller_dose_of_one_breaks(mnist5k):
    """So that it finds what only the two do together."""
    oracle = Oracle(mnist5k)

    def early(images):
        right = oracle(images)
        tone = np.maximum(images.min(axis=1), 1 - images.max(axis=1))
        dose = np.where(right.argmax(axis=1) == 4, 0.05, 0.25)
        return fading(right, 4 * (tone / dose - 0.9))

    search = searched(early, mnist5k, 3000).search
    pairs = [trial for trial in search.trials.values() if len(trial.halves) == 2]
    tried = set(search.labels[[*set().union(*(trial.tried for trial in pairs))]].tolist())

    assert tried == {*range(10)} - {4}


def test_no_perturbation_of_a_counterexample_breaks_it_alone(mnist5k):
    """A dose at which fewer perturbations do it is not shown, however clear it is."""
    oracle = Oracle(mnist5k)

    def model(images):
        light, right = images.min(axis=1), oracle(images).argmax(axis=1)
        wrong = (light > 0.4) | ((light > 0.35) & (images.max(axis=1) < 0.9))
        sure = np.where(wrong, 0.2 + 0.5 * light, 0.98)[:, None]
        return sure * np.eye(10)[np.where(wrong, (right + 1) % 10, right)] + (1 - sure) / 10

    search = searched(model, mnist5k, 1).search
    lighter, paler = search.halves[0], search.halves[2]
    case = Case(place=0, halves=(lighter, paler), shares=(0.38 / lighter.most, 0.3 / paler.most))
    example = findings_module._example(search, [case])

    assert [top == example.expected for top, _ in example.steps] == [True, True, False]


def test_a_model_without_a_blind_spot_has_no_weakness(mnist5k):
    """Nothing is found where nothing is wrong."""
    found = searched(Oracle(mnist5k), mnist5k)

    assert (found.weaknesses, found.faults) == ((), ())


def test_smallest_doses_are_those_of_a_fine_grid(mnist5k):
    """Bisection is within 5% of 300 doses for each digit of a model that no one planted."""
    means = np.stack([mnist5k.train_images[mnist5k.train_labels == d].mean(0) for d in range(10)])
    images = mnist5k.test_images

    def model(images):
        return softmax(2 * images @ means.T - (means**2).sum(axis=1))

    search = searched(model, mnist5k, 1000, over=("contrast",), digits=60).search
    smallest = np.full(60, np.inf)
    for place, found in search.trials[0,].breaks.items():
        smallest[place] = found.case.shares[0]
    doses = 0.95 * np.arange(1, 301) / 300
    grid = np.full(60, np.inf)
    before = model(images[:60]).argmax(axis=1)
    for dose in doses[::-1]:
        after = PERTURBATIONS["contrast"](images[:60], dose, None)
        grid[model(after).argmax(axis=1) != before] = dose
    pool = search.pool[np.isfinite(grid[search.pool])]
    assert len(pool) > 20
    assert not search.trials[0,].sudden, "its predictions change smoothly"
    assert np.mean(0.95 * smallest[pool] <= 1.05 * grid[pool]) > 0.95


def test_a_search_is_repeatable_and_a_longer_one_goes_on(findings, mnist5k):
    """One seed gives one order of candidates."""
    model = Oracle(mnist5k, lightest_seven)
    short, again = (searched(model, mnist5k, 400) for _ in range(2))

    assert short.to_json() == again.to_json()
    assert short.search.candidates < findings.search.candidates
    for place, found in short.search.trials[0,].breaks.items():
        assert findings.search.trials[0,].breaks[place].case.size <= found.case.size


def test_a_model_that_raises_is_a_finding(mnist5k, capsys):
    """The fault is told first, with its smallest input, and the search goes on around it."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        if (images.max(axis=1) == 0).any():
            raise ValueError("0 pixels with ink")
        outputs = oracle(images)
        outputs[(images.max(axis=1) < 0.5)] = np.nan
        return outputs

    found = searched(model, mnist5k)

    assert [each.words for each in found.weaknesses] == [
        "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    ]
    empty, faint = found.faults
    assert empty.fault.startswith("model raised ValueError: 0 pixels with ink")
    assert (empty.chain, empty.index) == ((), None)
    assert not empty.image.any()
    assert (faint.fault, len(faint.chain)) == (NO_NUMBER, 1)
    after = perturb(faint.image[None] / 255, faint.chain, faint.draw)
    assert 0.48 < after.max() < 0.5
    text.print_findings(found)
    assert capsys.readouterr().out.startswith(f"fault: {empty.says}")


def nan_where(oracle, fails):
    """A model that returns NaN for some images."""

    def model(images):
        outputs = oracle(images)
        outputs[fails(images, outputs.argmax(axis=1))] = np.nan
        return outputs

    return model


def test_a_fault_names_all_perturbations_that_lead_to_it(mnist5k, capsys):
    """The one that leads most digits to it comes first; chains count for none."""

    def faint(images, top):
        dark = images.max(axis=1)
        return (dark < np.where(top == 7, 0.85, 0.45)) & (dark > images.min(axis=1))

    model = nan_where(Oracle(mnist5k), faint)
    found = searched(model, mnist5k, 3000, ("brightness", "contrast", "shift"), 12)
    (fault,) = found.faults
    digits, sevens = (
        len(found.search.pool),
        int((found.search.labels[found.search.pool] == 7).sum()),
    )

    assert found.search.under(fault.fault) == {
        "lost contrast": digits, "ink taken off everywhere": sevens
    }  # fmt: skip
    assert found.to_json()["faults"][0]["under"] == found.search.under(fault.fault)
    text.print_findings(found)
    says = f"; met under, by digits: lost contrast ({digits}), ink taken off everywhere ({sevens})"
    assert says in capsys.readouterr().out


def test_a_fault_of_a_plain_image_is_looked_for_in_digits_too(mnist5k):
    """It is told with its smallest input, and with the perturbation that leads a digit to it."""
    model = nan_where(Oracle(mnist5k), lambda images, _: images.mean(axis=1) > 0.6)

    plain, changed = searched(model, mnist5k).faults

    assert (plain.chain, plain.image.min()) == ((), 255)
    assert (changed.chain[0].partition(":")[0], changed.label is None) == ("brightness", False)


def test_each_pair_is_tried_at_the_largest_harmless_doses_too(mnist5k):
    """Once at those, where two must meet from some dose on, and once at any, as for a window."""
    over = [PERTURBATIONS[name] for name in ("blur", "pixelate", "thin", "thicken", "quantise")]
    search = Search(
        Subject(Oracle(mnist5k), mnist5k, **READS), mnist5k, over=over, indexes=range(9)
    )
    tries = [each for each in islice(search._chains(), 400) if not each[2]]
    least = {True: [], False: []}
    for halves, weights, _, _ in tries:
        least[bool(halves[0] < halves[1])].append(weights.min())

    assert 0.8 < min(least[True]) < max(least[True]) <= 1
    assert 0.3 < min(least[False]) < 0.5


@pytest.mark.parametrize("alone", [True, False])
def test_an_image_that_makes_calls_far_slower_is_a_fault(mnist5k, monkeypatch, alone):
    """It is told with the perturbation that leads to it; a call that is slow by chance is none."""
    monkeypatch.setattr(outcomes, "_LEAST", 0.05)
    monkeypatch.setattr(outcomes, "_SLOW", 5)
    oracle, naps = Oracle(mnist5k), iter([True])

    def model(images):
        dark = (images.mean(axis=1) > 0.6) & (images.min(axis=1) < 0.9)
        if dark.any() and (alone or next(naps, False)):
            time.sleep(0.1)
        return oracle(images)

    found = searched(model, mnist5k, 300, over=("contrast", "brightness"), digits=8)

    slow = [each for each in found.faults if each.fault.startswith("takes 0 s, other calls")]
    assert len(slow) == alone, slow
    for each in slow:
        assert each.chain[0].startswith("brightness:")
        assert perturb(unpacked(each.case["image"]), each.chain, each.draw).mean() > 0.6


def test_a_digit_that_shows_a_fault_as_it_is_needs_no_perturbation(mnist5k):
    """Nor is it perturbed, so that the fault is told once."""
    found = searched(nan_where(Oracle(mnist5k), lambda _, top: top == 7), mnist5k)

    (fault,) = found.faults
    assert (fault.chain, fault.label) == ((), 7)
    assert f"fault: {fault.says}" in found.tests


def test_a_case_is_replayed_with_its_draw(mnist5k):
    """The model gets the image that the search gave it; a fault in place of a prediction holds."""
    seen = []

    def model(images):
        seen.append(images)
        return np.full((len(images), 10), np.nan if images.mean() > 0.2 else 0.1)

    subject, image = Subject(model, mnist5k, **READS), mnist5k.test_images[:1]
    packed = base64.b85encode(
        zlib.compress(np.rint(255 * image).astype(np.uint8).tobytes())
    ).decode()
    top, says, holds = outcome(
        subject, image=packed, chain=["offset-noise:0.5"], draw=3, expected=7
    )

    assert np.allclose(seen[-1], perturb(image, ("offset-noise:0.5",), 3), atol=1e-6)
    assert (top, says, holds) == (-1, NO_NUMBER, True)


@pytest.mark.parametrize(("ink", "perturbed"), [(-1, ()), (0.2, ("brightness",))])
def test_a_model_that_is_not_deterministic_is_a_finding(ink, perturbed, mnist5k):
    """Two predictions of one image differ, at once or when it is perturbed."""
    oracle, rng = Oracle(mnist5k), np.random.default_rng(0)

    def model(images):
        some = (images.min(axis=1) > ink) * rng.random(len(images))
        return oracle(images) - 0.1 * some[:, None] * np.eye(10)[oracle(images).argmax(axis=1)]

    found = searched(model, mnist5k, 700 if perturbed else 1)
    (fault,) = found.faults

    assert fault.fault == "predicts another probability when the same image comes again"
    assert f"fault: {fault.says}" not in found.tests, "it would pass by chance"
    assert tuple(step.partition(":")[0] for step in fault.chain) == perturbed
    under = found.search.under(fault.fault)
    assert [*under] == ["ink added everywhere"] * bool(perturbed)
    assert all(digits > 10 for digits in under.values())
    assert perturb(fault.image[None] / 255, fault.chain, fault.draw).min() > ink


def test_what_makes_an_outlier_a_confident_digit_is_found(mnist5k):
    """Noise that was not confidently predicted is, at the planted dose; a repaired model is not."""

    def model(images):
        light = (images.min(axis=1) > 0.3).astype(float)[:, None]
        return light * (0.98 * np.eye(10)[[3]] + 0.002) + (1 - light) * 0.1

    found = searched(model, mnist5k, 2500, direction=OUTLIER).weaknesses[0]

    assert found.words.startswith("ink added everywhere beyond 0.3")
    example = found.counterexample
    assert (example.label, example.expected, example.steps[-1][0]) == (None, NO_DIGIT, 3)
    assert example.says == f"an outlier is 3 (98%) after {example.chain[0]} and 0 (10%) before"
    with pytest.raises(AssertionError, match=r"it predicts 3 \(98%\) after brightness:0.3\d*, an"):
        replay(Subject(model, mnist5k, **READS), **example.case)
    unsure = Subject(lambda images: np.full((len(images), 10), 0.1), mnist5k, **READS)
    assert replay(unsure, **example.case) == 0


def test_an_outlier_that_is_confident_at_once_needs_no_change(mnist5k):
    """A model that is confident of everything breaks on every outlier as it is."""
    (found,) = searched(
        lambda images: np.tile(0.98 * np.eye(10)[[3]] + 0.002, (len(images), 1)),
        mnist5k, 100, direction=OUTLIER,
    ).weaknesses  # fmt: skip

    assert (found.words, found.broken, found.tried) == ("no change at all", 1000, 1000)
    assert found.counterexample.chain == ()
    assert found.counterexample.says == "an outlier is 3 (98%)"


@pytest.mark.parametrize(
    "each",
    [*PERTURBATIONS.values(), replace(PERTURBATIONS["brightness"], doses=(-0.1, 1))],
    ids=lambda each: f"{each.name} {each.doses}",
)
def test_the_largest_doses_of_a_search_are_in_range(each):
    """On both sides of 0, where the range has two, and where they are not as long."""
    for half in halves_of([each], 5, seed=0):
        assert each.checked(half.most) == half.most


def test_names_of_tests_are_ascii(findings):
    """Pytest would show a sign of degrees as an escape."""
    turned = replace(findings.weaknesses[0], words="rotation to the left beyond 12°, für ½ digits")

    names = [*replace(findings, weaknesses=(turned,)).tests]
    assert names == ["1: rotation to the left beyond 12 degrees, f?r ? digits"]


def test_what_is_told_of_a_few_digits_says_so(findings, capsys):
    """All of these break, not all digits."""
    text.print_findings(findings)

    told = capsys.readouterr().out
    assert "100% of these" in " ".join(told.split())
    digits = len(findings.search.tried)
    assert f"weaknesses 1, faults 0; {digits} digits predicted confidently and rightly" in told


@pytest.mark.parametrize(
    "half", [*halves_of([PERTURBATIONS["shift"]], 3, seed=5)], ids=lambda half: half.way
)
def test_each_way_of_a_shift_has_a_draw_of_its_own(half):
    """What is said to move down and to the left does."""
    dot = np.zeros((1, 28, 28))
    dot[0, 14, 14] = 1
    row, column = np.argwhere(perturb(dot, (half.step(1),), half.draw)[0] > 0)[0]

    down, right = half.way.split(" and to the ")
    assert (row, column) == (17 if down == "down" else 11, 17 if right == "right" else 11)


def test_a_search_ends_when_nothing_is_left_to_try(mnist5k):
    """What breaks suddenly alone is in no chain: the candidates that were asked for are not reached."""
    search = searched(
        Oracle(mnist5k, lambda images, _: images.min(axis=1) > 0.05), mnist5k, 10**6, digits=10
    )

    assert len(search.search.tried) < search.search.candidates < 10**5


@pytest.mark.parametrize(
    "half", [*halves_of([PERTURBATIONS["bar"]], 1, seed=5)], ids=lambda half: half.words
)
def test_each_place_of_a_bar_has_a_draw_of_its_own(half):
    """What is said to cover the right does, and what is said to be blank is."""
    grey = np.full((1, 28, 28), 0.5)
    changed = perturb(grey, (half.step(1),), half.draw)[0] != 0.5
    rows, columns = changed.all(axis=1), changed.all(axis=0)

    places = {
        "at the top": rows[0], "at the bottom": rows[-1], "at the left": columns[0],
        "at the right": columns[-1], "across the middle": rows[13:15].all(),
        "down the middle": columns[13:15].all(), "across the upper half": rows[7],
        "across the lower half": rows[20], "down the left half": columns[7],
        "down the right half": columns[20],
    }  # fmt: skip
    assert [place for place in places if places[place]] == [half.way]


def test_a_model_that_is_never_confident_cannot_be_broken(mnist5k):
    """The error says why; any prediction can become another."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        return 0.5 * oracle(images) + 0.05

    with pytest.raises(UsageError, match="predicts no digit confidently and rightly"):
        searched(model, mnist5k)
    (found,) = searched(model, mnist5k, 700, direction=CHANGES).weaknesses
    assert found.perturbations == ("brightness",)


def test_a_counterexample_holds_until_the_model_is_repaired(findings, mnist5k):
    """`replay` fails on the broken model, with what it predicts, and passes on a repaired one."""
    broken, repaired = (
        Subject(Oracle(mnist5k, *blind), mnist5k, **READS) for blind in ((lightest_seven,), ())
    )
    (found,) = findings.weaknesses

    with pytest.raises(
        AssertionError, match=r"predicts 8 \(98%\) after brightness:0.2\d*; expected 7"
    ):
        replay(broken, **found.counterexample.case)
    assert replay(repaired, **found.counterexample.case) == 7


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_batch_has_the_draws_of_single_images(name, mnist5k):
    """An image of a batch is the one that a replay makes, twice perturbed."""
    images = mnist5k.test_images[:28]  # as many as an image has rows
    chain = (f"{name}:{PERTURBATIONS[name].severities[2]:g}",) * 2

    alone = [perturb(images[at : at + 1], chain, at)[0] for at in (0, 27)]

    np.testing.assert_allclose(perturb_each(images, chain, range(28))[[0, 27]], alone, atol=1e-6)


@settings(max_examples=20)
@given(changed_digits(max_severity=2))
def test_changed_digits_keep_their_doses(changed):
    """No dose is beyond the severity, on either side of 0."""
    for perturbation, dose in map(dosed, changed.chain):
        assert abs(dose) <= perturbation.severities[1]
    assert changed.after.shape == (784,)


def test_a_changed_digit_is_printed_as_a_call_that_makes_it():
    """Its name is public: pasted into other code, the line gives the same images."""

    @settings(max_examples=50, database=None)
    @given(changed=changed_digits())
    def fails(changed):
        assert not changed.chain, changed

    with pytest.raises(AssertionError) as raised:
        fails()
    printed = " ".join(raised.value.__notes__).split("changed=")[1].split("),\n)")[0]
    made = eval(printed + ")", vars(strategies))  # noqa: S307 - what a reader pastes
    assert str(raised.value).startswith(repr(made))


def test_a_property_of_a_model_shrinks_to_a_small_change():
    """Hypothesis reports the one perturbation that matters; no other here makes all pixels lighter."""

    def breaks(changed):
        return changed.label == 7 and changed.after.min() > 0.2 and changed.before.min() == 0

    strategy = changed_digits(max_severity=4, over=("brightness", "rotate", "shift"))
    found = find(strategy, breaks, settings=settings(max_examples=5000, database=None))

    assert repr(found) == "a 7 after brightness:0.204"


@pytest.mark.parametrize(
    "case", json.loads(Path(__file__).with_name("counterexamples.json").read_text())
)
def test_trained_networks_still_have_their_counterexamples(case, rehearsal, mnist5k):
    """What broke the networks of six seeds of `ann_1000` breaks this one as well."""
    predict, image = dense(rehearsal), mnist5k.test_images[[case["index"]]]
    changed = perturb(image, tuple(case["chain"]), case["draw"])

    assert predict(image).argmax() == case["expected"]
    assert predict(changed).argmax() != case["expected"]
