"""Truncated entries and flipped bits: all are found before anything is parsed."""

import warnings

import numpy as np
import pytest

from mnistrobust.replicates import Replicate
from mnistrobust.store import Entry, Store, StoreWarning
from mnistrobust.store.store import _HEAD

pytestmark = pytest.mark.slow

RECIPE = "ann_1000"
TRUNCATIONS = FLIPS = 1200


@pytest.fixture(params=["model", "evaluation"])
def victim(request, rehearsal, tmp_path):
    """A store with one real entry, the entry's key, and its sound bytes."""
    model = rehearsal.model_key(RECIPE)
    key = model if request.param == "model" else rehearsal.evaluation_key(RECIPE, "clean")
    store = Store(tmp_path / "store")
    store.path(key).parent.mkdir(parents=True)
    return store, key, rehearsal.store.path(key).read_bytes()


@pytest.fixture
def parsed(monkeypatch):
    """What was given to the parser."""
    given = []
    parse = Entry.from_bytes
    monkeypatch.setattr(
        Entry, "from_bytes", lambda content: given.append(content) or parse(content)
    )
    return given


def found(store, key, content):
    """Whether a reader finds damage in what lies in place of an entry."""
    store.path(key).write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        entry = store.get(key)
    aside = list((store.root / "broken").glob("*"))
    for path in aside:
        path.unlink()
    assert entry is None or not aside
    return (
        entry is None and len(aside) == 1 and [each.category for each in warned] == [StoreWarning]
    )


def test_every_truncation_is_found_before_parsing(victim, parsed):
    """Of 1,200 lengths, among them every one within the first 200 bytes, none is parsed."""
    store, key, whole = victim
    rng = np.random.default_rng(0)
    lengths = [*range(200), *rng.integers(200, len(whole), TRUNCATIONS - 201), len(whole) - 1]

    missed = [length for length in lengths if not found(store, key, whole[:length])]

    assert len(lengths) == TRUNCATIONS
    assert missed == []
    assert parsed == []


def test_every_flipped_bit_is_found_before_parsing(victim, parsed):
    """Of 1,200 bits, among them every one of the first line, none goes unseen."""
    store, key, whole = victim
    rng = np.random.default_rng(1)
    bits = [*range(8 * _HEAD), *rng.integers(8 * _HEAD, 8 * len(whole), FLIPS - 8 * _HEAD)]

    missed = []
    for bit in bits:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << int(bit % 8)
        if not found(store, key, bytes(content)):
            missed.append(bit)

    assert len(bits) == FLIPS
    assert missed == []
    assert parsed == []


@pytest.mark.parametrize("position", [0, 20, _HEAD - 1, _HEAD + 30, -1])
def test_a_replicate_over_damaged_entries_gives_the_same_evaluations(position, rehearsal, tmp_path):
    """Wherever a model's or an evaluation's file is damaged, the predictions stay the same."""
    store = Store(tmp_path / "store")
    expected = rehearsal.evaluate(RECIPE, on="clean")
    keys = [rehearsal.model_key(RECIPE), rehearsal.evaluation_key(RECIPE, "clean")]
    for key in keys:
        content = bytearray(rehearsal.store.path(key).read_bytes())
        content[position] ^= 1
        store.path(key).parent.mkdir(parents=True)
        store.path(key).write_bytes(content)

    replicate = Replicate(0, rehearsal.source, store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        evaluation = replicate.evaluate(RECIPE, on="clean")
        weights = replicate.trained(RECIPE).weights

    assert np.array_equal(evaluation.predictions, expected.predictions)
    assert np.array_equal(evaluation.losses, expected.losses)
    pairs = zip(weights, rehearsal.trained(RECIPE).weights, strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert all(
        store.path(key).read_bytes() == rehearsal.store.path(key).read_bytes() for key in keys
    )
