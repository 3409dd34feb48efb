"""Hypothesis strategies for true labels and for outputs of a classifier."""

import numpy as np
from hypothesis import strategies as st

from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.metrics import log_softmax


def labels(*, classes=10, dtypes=("int64",)):
    """Draw 0 to 50 labels (n,) from `make_labels`."""
    return st.builds(
        make_labels,
        n=st.integers(0, 50),
        seed=seeds(),
        used=st.integers(1, classes),
        classes=st.just(classes),
        dtype=st.sampled_from(dtypes),
    )


def make_labels(n, seed, used=10, classes=10, dtype="int64"):
    """Labels (n,) in 0…classes-1, of at most `used` different ones."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.permutation(classes)[rng.integers(used, size=n)], dtype)


def logits(*, rows=range(21)):
    """Draw logits (n, 10) from `make_logits`: flat, ordinary, or far too certain."""
    return st.builds(
        make_logits,
        n=st.sampled_from(rows),
        seed=seeds(),
        scale=st.sampled_from([1.0, 0.1, 10.0, 100.0, 1000.0]),
        offset=st.sampled_from([0.0, 1000.0, -1000.0]),
    )


def make_logits(n, seed, scale=1.0, offset=0.0):
    """Normal logits (n, 10), float32; an offset leaves every probability as it is."""
    return np.random.default_rng(seed).normal(offset, scale, (n, 10)).astype(np.float32)


def probabilities():
    """Draw probabilities (n, 10), float64, of sum 1 a row; some rows are nearly certain."""
    return logits().map(lambda drawn: np.exp(log_softmax(drawn)))
