"""Few digits, for predictions that are made by hand."""

import numpy as np
import pytest

from mnistrobust.data import Dataset


@pytest.fixture(scope="session")
def few(mnist5k):
    """Two held-out images of each digit."""
    rows = np.concatenate([np.flatnonzero(mnist5k.test_labels == digit)[:2] for digit in range(10)])
    ordered = rows.reshape(10, 2).T.ravel()
    arrays = {name: mnist5k.arrays[name][ordered] for name in ("x_test", "y_test")}
    return Dataset(mnist5k.source, arrays)
