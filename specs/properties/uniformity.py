"""Whether numbers are independent and uniform in [0, 1).

Examples differ in every run, so a bound must hold for all of them: each assertion fails on true
noise with a probability of at most 1e-13. A law of at most 2,000 examples with at most five
assertions each therefore fails falsely in at most one run in a billion.
"""

import math

import numpy as np

FALSE_ALARMS = 1e-9 / 2000 / 5


def assert_uniform(values, *, sees):
    """Assert a Kolmogorov-Smirnov distance to the uniform distribution below its bound.

    The bound, `sees` at most, is that of Dvoretzky, Kiefer and Wolfowitz with Massart's constant,
    valid for every number of values.
    """
    ranked = np.sort(values.ravel().astype(np.float64))
    n = len(ranked)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max())
    bound = math.sqrt(math.log(2 / FALSE_ALARMS) / (2 * n))

    assert bound <= sees
    assert distance < bound, f"Expected a distance to uniform below {bound:.3f}: {distance:.3f}."


def assert_independent(left, right, *, sees):
    """Assert that pairs of values have a correlation below Hoeffding's bound, `sees` at most."""
    products = (left.astype(np.float64) - 0.5) * (right.astype(np.float64) - 0.5)
    bound = 0.5 * math.sqrt(math.log(2 / FALSE_ALARMS) / (2 * products.size))

    assert bound * 12 <= sees  # 1/12 is the variance
    correlation, most = 12 * products.mean(), 12 * bound
    assert abs(correlation) < most, f"Expected a correlation below {most:.2f}: {correlation:.2f}."


def assert_all_floats(values):
    """Assert that hardly a value occurs twice; of 784 float32 values, two do in 1 of 50 sets.

    That a twentieth of 784 or more does is rarer than 1e-100.
    """
    different = len(np.unique(values))
    assert different > 0.95 * values.size, f"{values.size} numbers have {different} values."


def assert_other(values, than):
    """Assert that two arrays of at least 784 values agree in less than a tenth of them.

    Independent float32 values agree with a probability of 2**-24: a tenth of 784 do more rarely
    than 1e-100.
    """
    same = (values == than).mean()
    assert same < 0.1, f"Expected other numbers: {same:.0%} are the same."
