"""What is found of one model, for several specs."""

import pytest

from specs.helpers.oracle import Oracle, lightest_seven, searched


@pytest.fixture(scope="session")
def findings(mnist5k):
    """What is found of a model that misreads 7s on a light ground."""
    return searched(Oracle(mnist5k, lightest_seven), mnist5k)
