"""What the store calls its entries."""

import json
from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import keys
from mnistrobust.store import Entry, Key

VALUES = st.one_of(st.integers(-3, 3), st.sampled_from(["", "a", "1", None, True, 0.5]))
FACTS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=4)
RECIPE = st.sampled_from(list(RECIPES.values()))
# Few of two draws are nearly equal, and an example costs next to nothing.
many = settings(max_examples=max(100, settings.default.max_examples))


def as_json(facts):
    """Return the facts as text: 1, True and 1.0 are equal in Python, not in JSON."""
    return json.dumps(facts, sort_keys=True)


@many
@given(FACTS, FACTS)
def test_keys_are_equal_where_their_facts_are(facts, other):
    """Catches a fact that is left out, and values that are joined without their names."""
    equal = Key("k", "a", facts).digest == Key("k", "a", other).digest

    assert equal == (as_json(facts) == as_json(other))


@given(FACTS)
def test_key_ignores_the_order_of_facts(facts):
    """Catches an entry that is not found because a dictionary was built in another order."""
    backwards = dict(reversed(facts.items()))

    assert Key("k", "a", facts).name == Key("k", "a", backwards).name


@given(FACTS, st.sampled_from(["models", "evaluations"]), st.sampled_from(["ann-seed0", "cnn"]))
def test_name_tells_kind_and_label(facts, kind, label):
    """Catches a name that nobody can read, or that lies outside its kind's folder."""
    key = Key(kind, label, facts)

    assert key.name.startswith(f"{kind}/{label}-")
    assert key.name.count("/") == 1
    assert key.digest.startswith(key.name.rpartition("-")[2])


@given(RECIPE, st.sampled_from([field.name for field in fields(RECIPES["ann"])]), seeds())
def test_model_key_depends_on_every_field_of_the_recipe(recipe, field, seed):
    """Catches a changed recipe that gets the old one's weights."""
    with_code = keys.model_key(recipe, seed, "data").facts
    value = replace(recipe.architecture, name="other") if field == "architecture" else "other"
    changed = {**with_code, "recipe": replace(recipe, **{field: value}).to_json()}

    assert Key("k", "a", with_code).digest != Key("k", "a", changed).digest


@many
@given(RECIPE, RECIPE, seeds(), seeds(), st.sampled_from("ab"), st.sampled_from("ab"))
def test_model_keys_are_equal_where_recipe_seed_and_data_are(one, two, seed, other, data, its):
    """Catches a replicate that gets the models of another seed or data set."""
    names = {keys.model_key(one, seed, data).name, keys.model_key(two, other, its).name}

    assert (len(names) == 1) == ((one, seed, data) == (two, other, its))


@given(FACTS, seeds())
def test_entry_survives_its_bytes(meta, seed):
    """Catches a tensor saved in another order than it is read: columns of a strided array."""
    rng = np.random.default_rng(seed)
    stored = {
        "plain": rng.random((2, 3)),
        "columns": rng.random((4, 6))[:, ::2].T,
        "empty": np.zeros((0, 3), np.float32),
        "labels": rng.integers(0, 256, 5, np.uint8),
    }
    again = Entry.from_bytes(Entry(stored, meta).to_bytes())

    assert again.meta == meta
    assert again.tensors.keys() == stored.keys()
    for name, tensor in stored.items():
        np.testing.assert_array_equal(again.tensors[name], tensor)
        assert again.tensors[name].dtype == tensor.dtype


@given(st.permutations(["a", "b", "c"]), FACTS, seeds())
def test_equal_entries_have_equal_digests(order, meta, seed):
    """Catches a digest that depends on the order of tensors, which an evaluation's key rests on."""
    tensors = {name: np.random.default_rng((seed, ord(name))).random(3) for name in "abc"}
    shuffled = Entry({name: tensors[name] for name in order}, dict(reversed(meta.items())))

    assert shuffled.digest == Entry(tensors, meta).digest


@given(st.integers(0, 8 * 24 - 1), seeds())
def test_digest_depends_on_every_bit(bit, seed):
    """Catches weights that are rounded or left out before they are hashed."""
    tensor = np.random.default_rng(seed).integers(0, 256, 24, np.uint8)
    flipped = tensor.copy()
    flipped[bit // 8] ^= 1 << bit % 8

    assert Entry({"a": tensor}).digest != Entry({"a": flipped}).digest
