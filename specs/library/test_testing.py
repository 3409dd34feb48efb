"""The fixtures in a pytest suite of somebody else's."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from fixtures.replicates import Images
from mnistrobust import testing
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate
from mnistrobust.report import pictures
from mnistrobust.store import Store
from specs.helpers import ROOT
from specs.helpers.processes import PATIENCE

CONFTEST = 'pytest_plugins = ["mnistrobust.testing"]\n'
TEST = """
import warnings

from fixtures import OWN


def test_accuracy(evaluate, images):
    pixels, labels = images("inverted")
    assert pixels.shape == (len(labels), 784)
    assert evaluate("ann_1000", on="clean").accuracy > 0.5


def test_the_folder_keeps_its_own_fixtures():
    warnings.warn("of this suite", UserWarning)
    assert OWN == 1
"""


@pytest.fixture
def folder(tmp_path, rehearsal, surroundings):
    """A suite with a `fixtures` of its own, in a folder named as ours."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("MNISTROBUST_STORE", str(rehearsal.store.root))
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (folder / "fixtures.py").write_text("OWN = 1\n")
    (folder / "test_digits.py").write_text(TEST)
    return folder


def run(folder, *options):
    """Run the folder's suite; return pytest's exit code and output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    ended = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_one_line_gives_a_suite_the_fixtures(workers, folder):
    """It keeps a `fixtures` of its own, and its warnings stay warnings."""
    code, said = run(folder, "-n", workers)

    assert code == 0, said
    assert "2 passed" in said
    assert "of this suite" in said


@pytest.mark.slow
def test_without_the_line_there_are_no_fixtures(folder):
    """The line is what gives them."""
    (folder / "conftest.py").write_text("")

    code, said = run(folder)

    assert code == 1
    assert "fixture 'evaluate' not found" in said


def test_the_plugins_have_the_fixtures_and_options_of_this_suite():
    """Under names of their own, so that a `fixtures` of the reader's is another module."""
    known = {}
    for name in testing.pytest_plugins:
        known |= vars(importlib.import_module(name))

    assert {"replicate", "evaluate", "history", "images", "settings", "pytest_addoption"} <= {
        *known
    }
    assert {f"{recipe}_fixture" for recipe in RECIPES} <= {*known}
    assert not any(name.startswith("fixtures") for name in testing.pytest_plugins)


def test_images_are_those_of_the_replicates_own_noise(mnist5k, tmp_path):
    """A test of the reader's sees what its network was evaluated on."""
    for seed in (0, 3):
        shown, labels = Images(Replicate(seed, mnist5k.source, Store(tmp_path)))("offset-noise")
        expected, truth = pictures.first_draw(mnist5k.source, seed, "offset-noise")

        np.testing.assert_array_equal(shown, expected)
        np.testing.assert_array_equal(labels, truth)


def test_a_check_passes_fails_or_is_skipped(tmp_path, surroundings):
    """A failure says what was expected; what says nothing about a model must not be expected to fail."""
    surroundings.chdir(tmp_path)
    names = ["probabilities_sum_to_one", "clean_accuracy", "noise_class_keeps_digits"]

    def model(images):
        return np.tile(np.eye(10)[0], (len(images), 1))

    def cases(given, **options):
        mark = testing.parametrize_with_checks(given, only=names, data="mnist5k", **options)
        return {case.id: case for case in mark.args[1]}

    found = cases(model, expected_failures={"clean_accuracy": "it is constant"})
    passes, fails, says_nothing = (found[name].values[0] for name in names)

    assert passes().status == "passed"
    with pytest.raises(AssertionError, match=r"Expected .*0\.9.*; accuracy 0\.1"):
        fails()
    with pytest.raises(pytest.skip.Exception, match="not applicable: "):
        says_nothing()
    (mark,) = found["clean_accuracy"].marks
    # a model that cannot be opened is pytest's Failed, and so no failure that is expected
    expected = {"strict": True, "reason": "it is constant", "raises": AssertionError}
    assert (mark.name, mark.kwargs) == ("xfail", expected)
    assert not found["probabilities_sum_to_one"].marks
    with pytest.raises(pytest.skip.Exception, match="the model gives logits"):
        cases(model, outputs="logits")["probabilities_sum_to_one"].values[0]()
    wrong = cases(model, expected_failures={"noise_class_keeps_digits": "why not"})
    with pytest.raises(pytest.fail.Exception, match="is expected to fail, but says"):
        wrong["noise_class_keeps_digits"].values[0]()
    first, second, _ = (case.values[0] for case in cases("nowhere:predict").values())
    with pytest.raises(pytest.fail.Exception, match="nowhere"):
        first()
    with pytest.raises(pytest.skip.Exception, match="the first failure says why"):
        second()
