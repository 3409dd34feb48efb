"""Which examples hypothesis takes in a run, with and without a profile."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.properties import EXAMPLES, load_profiles

SHOW = """
from pathlib import Path
from hypothesis import settings
from fixtures.properties import load_profiles
load_profiles(Path("somewhere"))
print(settings.default.derandomize, settings.default.database, settings.default.print_blob)
"""


def examples(profile):
    """Return the examples that a law takes, of any whole numbers."""
    taken = []

    @settings(settings.get_profile(profile), database=None)
    @given(st.integers())
    def law(number):
        taken.append(number)

    law()
    return taken


@pytest.fixture(autouse=True)
def profiles(pytestconfig):
    load_profiles(pytestconfig.rootpath)


def test_default_takes_new_examples_in_every_run():
    """The default explores; 15 whole numbers never coincide by chance."""
    taken = examples("default")

    assert len(taken) == EXAMPLES
    assert examples("default") != taken


def test_ci_takes_the_same_examples_in_every_run():
    """What fails under the profile `ci` fails again."""
    taken = examples("ci")

    assert len(taken) == 200
    assert examples("ci") == taken


@pytest.mark.slow
def test_the_variable_ci_does_not_change_the_default(pytestconfig):
    """Hypothesis repeats its examples where CI is set; a run of ours explores all the same."""
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=pytestconfig.rootpath,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert shown.startswith("False DirectoryBasedExampleDatabase(")
    assert ".hypothesis/examples" in shown
    assert shown.endswith("True\n")
