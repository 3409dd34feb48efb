"""Random streams by key."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust.randomness import stream

PARTS = st.one_of(
    st.integers(0, 3),
    st.sampled_from(["", "0", "1", "ann", "ann_noisy", "order", "'", "a, b", "weights"]),
)
KEYS = st.lists(PARTS, max_size=3).map(tuple)
# Few of two draws are nearly equal, and an example costs next to nothing.
many = settings(max_examples=max(100, settings.default.max_examples))


def numbers(key, n=16):
    return stream(*key).integers(2**63, size=n).tolist()


@many
@given(KEYS, KEYS)
def test_streams_are_equal_where_their_keys_are(key, other):
    """Catches keys that are joined, so that (1, "2") and ("1", 2) share a stream."""
    assert (numbers(key) == numbers(other)) == (key == other)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=3))
def test_numpy_integer_is_the_same_seed(parts):
    """Catches a seed from a NumPy array that is another replicate."""
    assert numbers(tuple(np.array(parts))) == numbers(tuple(parts))


@given(KEYS, KEYS, st.integers(1, 50))
def test_streams_do_not_disturb_each_other(key, other, draws):
    """Catches streams that share a generator: adding a recipe would change the others."""
    generator = stream(*key)
    first = generator.random(8)
    stream(*other).random(draws)

    np.testing.assert_array_equal([*first, *generator.random(8)], stream(*key).random(16))


@given(st.lists(st.sampled_from([0.5, None, (1,), b"ann"]), min_size=1, max_size=2))
def test_stream_takes_only_text_and_whole_numbers(key):
    """Catches a key such as 0.1 + 0.2, which nobody can name again."""
    with np.testing.assert_raises(TypeError):
        stream(*key)
