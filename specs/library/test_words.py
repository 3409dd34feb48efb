"""The document's words hold on the right side of their bounds, and only there."""

import re

import pytest

from mnistrobust import words


def name_of(word):
    return getattr(word, "name", None) or word.__name__.replace("_", " ")


# word, a call that holds, a call that does not: a hair on either side of the fixed bound
EDGES = [
    (words.high_accuracy, (0.9501,), {}, (0.9499,), {}),
    (words.good_job, (0.9001,), {}, (0.8999,), {}),
    (words.bad_job, (0.4999,), {}, (0.5001,), {}),
    (words.does_not_do_well, (0.7999,), {}, (0.8001,), {}),
    (words.better, (0.5101,), {"than": 0.5}, (0.5099,), {"than": 0.5}),
    (words.worse, (0.4899,), {"than": 0.5}, (0.4901,), {"than": 0.5}),
    (words.not_better, (0.5099,), {"than": 0.5}, (0.5101,), {"than": 0.5}),
    (words.much_better, (0.6001,), {"than": 0.5}, (0.5999,), {"than": 0.5}),
    (words.much_worse, (0.3999,), {"than": 0.5}, (0.4001,), {"than": 0.5}),
    (words.as_good, (0.4901,), {"as_": 0.5}, (0.4899,), {"as_": 0.5}),
    (words.similar, (0.5199,), {"to": 0.5}, (0.5201,), {"to": 0.5}),
    (words.similar, (0.4801,), {"to": 0.5}, (0.4799,), {"to": 0.5}),
    (words.similar_at_1000_rows, (0.5299,), {"to": 0.5}, (0.4699,), {"to": 0.5}),
    (words.follows, (0.0099,), {}, (0.0101,), {}),
    (words.most, (0.5001,), {}, (0.4999,), {}),
    (words.almost_entirely, (0.9001,), {}, (0.8999,), {}),
    (words.every, (0.9901,), {}, (0.9899,), {}),
    (words.high_confidence, (0.5001,), {}, (0.4999,), {}),
    (words.not_confident, (0.2499,), {}, (0.2501,), {}),
    (words.small_number, (0.2499,), {}, (0.2501,), {}),
    (words.dimensions, ((28, 28, 1),), {"expected": 3}, ((784,),), {"expected": 3}),
]


@pytest.mark.parametrize(
    ("word", "inside", "with_inside", "outside", "with_outside"),
    EDGES,
    ids=[name_of(edge[0]) + str(n) for n, edge in enumerate(EDGES)],
)
def test_margin_changes_sign_at_the_bound(word, inside, with_inside, outside, with_outside):
    """A margin is above 0 just inside the bound and below 0 just outside."""
    assert float(word(*inside, **with_inside)) > 0
    assert float(word(*outside, **with_outside)) < 0


def test_every_word_has_its_edge():
    """No word is left out of the table of edges, and each is called as it is named."""
    margins = {name_of(word): word(*inside, **named) for word, inside, named, *_ in EDGES}

    assert margins.keys() == words.WORDS.keys()
    assert [margin.word.name for margin in margins.values()] == list(margins)


@pytest.mark.parametrize("word", words.WORDS.values(), ids=lambda word: word.name)
def test_a_phrase_states_the_bound(word):
    """With the digits of the bound, except where there is nothing to halve."""
    numbers = [float(each) for each in re.findall(r"[\d.]+", word.meaning)]

    assert numbers == ([] if word.bound == word.origin else [word.bound])


@pytest.mark.parametrize(
    ("margin", "halved", "doubled"),
    [
        (words.much_better(0.6, than=0.3), 0.25, 0.10),  # 0.10: 0.05 and 0.20
        (words.similar(0.5, to=0.49), 0.0, 0.03),  # 0.02: 0.01 and 0.04
        (words.most(0.7), 0.45, -0.3),  # 0.5: 0.25 and 1
        (words.not_confident(0.2), -0.075, 0.3),  # 0.25: 0.125 and 0.5
        (words.every(0.99), -0.005, 0.01),  # 0.99: 0.995 and 0.98
        (words.almost_entirely(0.9), -0.05, 0.1),  # 0.9: 0.95 and 0.8
        (words.high_accuracy(0.96), -0.015, 0.06),  # 0.95: 0.975 and 0.90
        (words.does_not_do_well(0.7), 0.2, -0.1),  # 0.8: 0.9 and 0.6
        (words.dimensions((28, 28, 1), expected=3), 0.5, 0.5),
    ],
    ids=lambda each: each.word.name if hasattr(each, "word") else None,
)
def test_bounds_are_halved_and_doubled_from_their_origin(margin, halved, doubled):
    """A bound is a difference from 0; near "all", it is one from 1."""
    assert margin.halved == pytest.approx(halved)
    assert margin.doubled == pytest.approx(doubled)


def test_what_is_far_worse_is_not_better_either():
    """A word of one direction does not turn into a distance."""
    assert float(words.not_better(0.1, than=0.9)) > 0.8
    assert float(words.as_good(0.9, as_=0.1)) > 0.8
    assert float(words.better(0.1, than=0.9)) < -0.8
