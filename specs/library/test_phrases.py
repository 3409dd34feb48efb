"""Each word of a margin has a phrase with its bound."""

import inspect
import re

import pytest

from mnistrobust import words
from mnistrobust.phrases import MEANINGS


def margins():
    for name, word in inspect.getmembers(words, inspect.isfunction):
        if name in {"dimensions", "dataclass"} or name.startswith("_"):
            continue
        parameters = inspect.signature(word).parameters.values()
        named = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
        yield word(0.0, **dict.fromkeys(named, 0.0))


@pytest.mark.parametrize("margin", list(margins()), ids=lambda margin: margin.word)
def test_a_phrase_states_the_bound(margin):
    """At 0, a margin is its bound: the number is in the phrase."""
    numbers = [float(each) for each in re.findall(r"0\.\d+", MEANINGS[margin.word])]

    assert abs(margin.value) in [pytest.approx(number) for number in numbers]


def test_no_phrase_is_without_its_word():
    """A phrase of a word that is gone goes too."""
    assert set(MEANINGS) == {"dimensions", *(margin.word for margin in margins())}
