"""The search for the smallest changes that break a model: planted blind spots are found and named."""

from itertools import islice

import numpy as np
import pytest

from mnistrobust.errors import UsageError
from mnistrobust.fuzzing.cases import Case
from mnistrobust.fuzzing.chain import perturb
from mnistrobust.fuzzing.counterexamples import (
    NO_DIGIT,
    Counterexample,
    replay,
)
from mnistrobust.fuzzing.outcomes import Subject
from mnistrobust.fuzzing.search import Search, Trial
from mnistrobust.fuzzing.targets import CHANGES, OUTLIER, WRONG, Targets
from mnistrobust.perturbations import PERTURBATIONS
from specs.helpers.digit_models import softmax
from specs.helpers.oracle import (
    READS,
    TONE,
    Oracle,
    fading,
    grey,
    lightest_seven,
    searched,
)


def test_a_blind_spot_is_named_by_perturbation_dose_and_digit(findings):
    """The doses between which it fails and the digits are those that were planted."""
    (found,) = findings.weaknesses

    assert found.words == "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    sevens = found.by_digit[7]
    assert sevens["broken"] == sevens["tried"] == found.broken > 0
    assert 0.2 < sevens["smallest"] < 0.2 * 1.03


@pytest.mark.parametrize("count", [500, 501, 1200])
def test_images_are_predicted_in_batches(count, mnist5k):
    """At most 500 at once, however many are changed, each once and in their order."""
    sizes = []

    def model(images):
        sizes.append(len(images))
        return np.eye(10)[(images[:, 300] > 0.5).astype(int)]

    subject = Subject(model, mnist5k, **READS)
    targets = Targets(subject, mnist5k, 0, CHANGES, range(30))
    del sizes[:]
    places = [place % 30 for place in range(count)]
    found = targets.outcomes([Case(place=place) for place in places])

    assert (sum(sizes), max(sizes)) == (count, 500)
    assert found.top.tolist() == (targets.images[places][:, 300] > 0.5).astype(int).tolist()


def test_what_two_perturbations_break_together_is_shrunk(mnist5k):
    """Neither does alone; the doses of the counterexample are hardly above those that were planted."""
    (found,) = searched(Oracle(mnist5k, grey), mnist5k, 3000).weaknesses

    assert found.words.startswith("ink added everywhere with lost contrast, together")
    example = found.counterexample
    after = perturb(example.image[None] / 255, example.chain, example.draw)
    assert len(example.chain) == 2
    assert 0.25 < after.min() < 0.35 or 0.65 < after.max() < 0.75


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


@pytest.mark.parametrize(("digit", "alone", "told"), [(6, 0, True), (7, 1, True), (7, 2, False)])
def test_a_pair_is_found_that_breaks_few_digits_of_a_class(digit, alone, told, mnist5k):
    """Two of two are enough; single digits of other classes, which fade, do not hide them.

    Nor does one of two that a perturbation breaks alone. Where it breaks both, that is known.
    """
    oracle, own = Oracle(mnist5k), np.flatnonzero(mnist5k.test_labels[:100] == digit)

    def model(images):
        at = (oracle.centred(images) @ oracle.known).argmax(axis=1)
        light, pale = images.min(axis=1), 1 - images.max(axis=1)
        early = np.isin(at, own[:alone]) & (light > 0.45)
        jumps = early | (np.isin(at, own) & grey(images, at))
        fades = np.isin(at, [14, 4, 1, 8, 7]) * (10 * light * pale - 1)
        return fading(0.98 * np.eye(10)[oracle.labels[at]] + 0.002, np.where(jumps, 1, fades))

    over = [PERTURBATIONS[name] for name in TONE]
    search = Search(Subject(model, mnist5k, **READS), mnist5k, over=over, indexes=range(30))
    search.run(lambda: len(search.trials) == len(search.halves))
    pale_and_light = (np.array([2, 0]), np.array([0.9, 0.7]), False, 0)
    search._together(search.pool, [pale_and_light])

    broken = search.index[[*search.trials[0, 2].breaks]]
    assert {*broken.tolist()} == {*own[own < 30][alone:].tolist() * told}


def test_digits_that_are_misread_at_once_are_not_searched(mnist5k):
    """Only a confident right prediction can become wrong; with CHANGES any can become another."""
    misread = Oracle(mnist5k, lambda _, top: top == 3)
    tried = [searched(misread, mnist5k, direction=way).search.tried for way in (WRONG, CHANGES)]
    threes = {*np.flatnonzero(mnist5k.test_labels[:30] == 3).tolist()}

    assert [bool(each & threes) for each in tried] == [False, True]


def test_an_outlier_that_is_called_noise_is_right(mnist5k):
    """The eleventh class is what is expected of it, however confident."""

    def model(images):
        return np.tile(0.979 * np.eye(11)[[10]] + 0.002, (len(images), 1))

    found = searched(model, mnist5k, 100, direction=OUTLIER)
    image = np.zeros(784, np.uint8)
    case = Counterexample(image=image, index=None, label=None, expected=NO_DIGIT).case

    assert found.weaknesses == ()
    assert replay(Subject(model, mnist5k, **READS), **case) == 10


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


@pytest.mark.parametrize("seed", [0, 5])
def test_a_seed_has_draws_of_its_own(seed, mnist5k):
    """Of a random perturbation: one for each digit, and others in a later turn."""
    over = [PERTURBATIONS["gaussian-noise"]]
    subject = Subject(Oracle(mnist5k), mnist5k, **READS)
    search = Search(subject, mnist5k, over=over, indexes=range(9), seed=seed)
    turns = [search._cases(search.halves, np.ones(1), search.pool[:3], turn) for turn in (0, 1)]

    draws = [[case.draw for case in cases] for cases in turns]
    assert draws == [[seed + turn + k for k in range(3)] for turn in (0, 1000)]


def test_the_smallest_dose_of_all_draws_is_kept(mnist5k):
    """A digit that a later draw breaks at a smaller dose has that one, and no larger one."""
    subject = Subject(Oracle(mnist5k, lambda images, _: images[:, 0] > 0.1), mnist5k, **READS)
    over, smallest = [PERTURBATIONS["gaussian-noise"]], []
    for draws in ((0,), (1,), (0, 1), (1, 0)):
        search = Search(subject, mnist5k, over=over, indexes=range(12))
        for draw in draws:
            search._single(0, search.pool, draw)
        breaks = search.trials[0,].breaks
        smallest.append([breaks[at].case.size[1] if at in breaks else 2 for at in search.pool])

    first, second, both, turned = smallest
    assert both == turned == [*map(min, first, second)]
    assert first != both != second


def test_a_chain_is_tried_where_its_doses_do_not_add_up_to_a_break(mnist5k):
    """Of doses that add up, the sum counts; of others, the largest."""
    over = [PERTURBATIONS[name] for name in TONE]
    search = Search(
        Subject(Oracle(mnist5k), mnist5k, **READS), mnist5k, over=over, indexes=range(30)
    )
    early, places, pair = search.pool[0], search.pool[:9], np.array([0, 2])
    search.first[:] = 0.5
    search.first[:, early] = 0.3
    for weights, add in (([0.5, 0.5], True), ([1, 1], False)):
        chain = pair, np.array(weights), add, 0
        tried = search._withstood(places, search._harmless(places), chain)
        assert {case.place for case in tried} == {*places} - {early}
        assert {case.shares for case in tried} == {tuple(0.95 * 0.5 * np.array(weights))}

    search.first[:, early] = 0.5
    chain = pair, np.array([0.5, 0.5]), True, 0
    tried = search._withstood(places, search._harmless(places), chain)
    assert {case.place for case in tried} == {*places}


def test_a_chain_of_which_a_part_breaks_every_digit_tells_nothing(mnist5k):
    """It is no chain's."""
    search = searched(
        Oracle(mnist5k, lambda images, _: images.min(axis=1) > 0.05), mnist5k, 1
    ).search
    lighter, _, paler, *_ = search.halves
    before, case = Trial(), Case(place=0, halves=(lighter, paler), shares=(0.5, 0.5))

    search._confirm(before, case, add=False, draw=0)

    assert before == Trial()


def test_each_pair_is_tried_at_the_largest_harmless_doses_too(mnist5k):
    """In turns: at those, where two must meet from some dose on, and at any, as for a window."""
    over = [PERTURBATIONS[name] for name in ("blur", "pixelate", "thin", "thicken", "quantise")]
    search = Search(
        Subject(Oracle(mnist5k), mnist5k, **READS), mnist5k, over=over, indexes=range(9)
    )
    every = [*islice(search._chains(), 400)]
    tries = [each for each in every if not each[2]]
    turns = [tries[start : start + 10] for start in range(0, 200, 10)]  # five make ten pairs
    least = [min(weights.min() for _, weights, _, _ in turn) for turn in turns]

    assert {len({frozenset(halves) for halves, *_ in turn}) for turn in turns} == {10}
    assert min(least[::2]) > 0.8
    assert 0.3 < min(least[1::2]) < max(least[1::2]) < 0.5
    assert 0.9 < max(weights.max() for _, weights, _, _ in tries) <= 1
    assert {tuple(halves) for halves, *_ in tries} >= {(0, 1), (1, 0)}
    kinds = [(len(halves), add) for halves, _, add, _ in every]
    assert {*kinds[:10]} == {(2, False)}, "each pair comes once before anything else"
    assert {*kinds[10:]} == {(2, False), (2, True), (3, True)}


def test_a_chain_moves_each_of_its_perturbations_as_it_says(mnist5k):
    """One draw decides them all: two whose ways need two draws are not tried together."""
    over = [PERTURBATIONS[name] for name in ("shift", "slide", "shade", "blur", "thin")]
    search = Search(
        Subject(Oracle(mnist5k), mnist5k, **READS), mnist5k, over=over, indexes=range(9)
    )
    chains = [[search.halves[at] for at in halves] for halves, *_ in islice(search._chains(), 999)]
    draws = [{half.draw for half in chain} - {None} for chain in chains]

    assert {*map(len, chains)} == {2, 3}
    assert {*map(len, draws)} == {0, 1}
    assert {half.way for chain in chains for half in chain} == {half.way for half in search.halves}


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


@pytest.mark.parametrize("slope", [0.7, 1.8])
def test_outliers_are_searched_from_the_less_confident_half(slope, mnist5k):
    """So that no change is trivial, also where some need none."""

    def model(images):
        share = np.minimum(0.98, 0.1 + slope * images.mean(axis=1))
        return np.concatenate([share[:, None], np.tile((1 - share)[:, None] / 9, 9)], axis=1)

    search = Search(Subject(model, mnist5k, **READS), mnist5k, direction=OUTLIER)

    confidence = search.clean.confidence[: len(search.labels)]
    assert 0 < len(search.pool) < len(search.labels)
    assert search.at_once.any() == (slope > 1)
    assert confidence[search.pool].max() <= np.median(confidence[~search.at_once])


def test_an_outlier_that_is_confident_at_once_needs_no_change(mnist5k):
    """A model that is confident of everything breaks on every outlier as it is."""
    (found,) = searched(
        lambda images: np.tile(0.98 * np.eye(10)[[3]] + 0.002, (len(images), 1)),
        mnist5k, 100, direction=OUTLIER,
    ).weaknesses  # fmt: skip

    assert (found.words, found.broken, found.tried) == ("no change at all", 1000, 1000)
    assert found.counterexample.chain == ()
    assert found.counterexample.says == "an outlier is 3 (98%)"


def test_a_search_ends_when_nothing_is_left_to_try(mnist5k):
    """What breaks suddenly alone is in no chain: the candidates that were asked for are not reached."""
    search = searched(
        Oracle(mnist5k, lambda images, _: images.min(axis=1) > 0.05), mnist5k, 10**6, digits=3
    )

    assert len(search.search.tried) < search.search.candidates < 10**5


def test_a_model_that_is_never_confident_cannot_be_broken(mnist5k):
    """The error says why; any prediction can become another."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        return 0.5 * oracle(images) + 0.05

    with pytest.raises(UsageError, match="predicts no digit confidently and rightly"):
        searched(model, mnist5k)
    (found,) = searched(model, mnist5k, 700, direction=CHANGES).weaknesses
    assert found.perturbations == ("brightness",)


def test_a_search_of_one_candidate_meets_digits(mnist5k):
    """Its first predictions are more than that; a search of nothing would find no weakness."""
    found = searched(Oracle(mnist5k), mnist5k, candidates=1)

    assert len(found.search.tried) > 0
