"""Bounds of one's own: from the command line, from pyproject.toml, and their errors."""

import json

import pytest

from mnistrobust.checks import accuracy
from mnistrobust.checks.bounds import REFERENCE, bounded, reference, stated
from mnistrobust.checks.check import FAILED, PASSED
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import PROBABILITIES
from mnistrobust.checks.run import CHECKS, run
from mnistrobust.conditions import condition_named
from mnistrobust.errors import UsageError
from mnistrobust.testing import parametrize_with_checks
from specs.helpers import ROOT, ann_figures
from specs.helpers.digit_models import softmax, trained


@pytest.fixture(scope="module")
def model(mnist5k):
    predict = trained(mnist5k)
    return Model(
        name="m", outputs=PROBABILITIES, classes=10, predict=lambda images: softmax(predict(images))
    )


@pytest.mark.parametrize(
    ("name", "weak", "strict"),
    [
        ("clean_accuracy", 0.5, 0.999),
        ("every_digit", 0.5, 0.999),
        ("inverted_accuracy", 0.0, 0.999),
        ("nll", 5.0, 0.001),
        pytest.param("pure_noise_uncertainty", 1.0, 0.0, marks=pytest.mark.slow),
        pytest.param("less_confident_on_uniform", 0.1, 1.0, marks=pytest.mark.slow),
    ],
)
def test_a_bound_decides_in_its_direction(name, weak, strict, model, mnist5k):
    """A weak one passes and a strict one fails, whatever ours says."""
    for bound, status in ((weak, PASSED), (strict, FAILED)):
        known = bounded(CHECKS, {name: bound})
        (result,) = run(model, mnist5k, only=[name], known=known).results
        assert result.status == status
        assert result.check.bound == f"at {'least' if CHECKS[name].least else 'most'} {bound:g}"


@pytest.mark.parametrize(
    ("name", "bound", "said"),
    [
        ("inverted_accuracy", 0.999, "accuracy 0."),
        ("every_digit", 0.999, "recall 0."),
        ("nll", 0.001, "nll 0."),
        ("ece_equal_width", 0.0, "calibration error 0."),
        pytest.param("rotate:15", 0.999, "accuracy 0.", marks=pytest.mark.slow),
    ],
)
def test_a_figure_keeps_its_name_under_a_bound(name, bound, said, model, mnist5k):
    """A bare number would leave open what was measured."""
    checks = {**CHECKS, "rotate:15": accuracy.under(condition_named("rotate:15"))}
    (result,) = run(model, mnist5k, only=[name], known=bounded(checks, {name: bound})).results

    assert result.reason.startswith(said)


def test_bounds_are_read_from_the_nearest_pyproject(tmp_path, surroundings):
    """From a folder above, too; the command line counts before it."""
    table = "[tool.mnistrobust.bounds]\nclean_accuracy = 0.98\nnll = 0.1\n"
    (tmp_path / "pyproject.toml").write_text(table)
    (tmp_path / "inner").mkdir()
    surroundings.chdir(tmp_path / "inner")

    assert stated() == {"clean_accuracy": 0.98, "nll": 0.1}
    assert stated(["nll=0.2"]) == {"clean_accuracy": 0.98, "nll": 0.2}


def test_a_bound_for_a_perturbation_waits_for_a_run_on_it(tmp_path, surroundings):
    """However its dose is written; a module of one's own is not imported for its name."""
    table = '[tool.mnistrobust.bounds]\nnll = 0.1\n"rotate:15.0" = 0.5\n"mine:tilt:3" = 0.5\n'
    (tmp_path / "pyproject.toml").write_text(table)
    (tmp_path / "mine.py").write_text("raise SystemExit")
    surroundings.chdir(tmp_path)

    assert stated(checks=CHECKS) == {"nll": 0.1}
    assert parametrize_with_checks("mine:predict").args[1]
    on = {**CHECKS, "rotate:15": accuracy.under(condition_named("rotate:15"))}
    assert bounded(on, stated((), on))["rotate:15"].bound == "at least 0.5"
    for given in (["rotate:15=0.5"], ["rotate:15.0=0.5"]):
        with pytest.raises(UsageError, match="Unknown check 'rotate:15"):
            bounded(CHECKS, stated(given, CHECKS))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rotat:15", "Unknown check 'rotat:15'"),
        ("mine:tilt", "Unknown check 'mine:tilt'"),
        ("rotate:999", "rotate:999.*expected a dose from -180"),
        ("rotate:x", "rotate:x: expected a dose from -180"),
    ],
)
def test_a_bound_in_the_file_for_no_check_at_all_is_an_error(name, said, tmp_path, surroundings):
    """A name that is mistyped would bound nothing in any run."""
    (tmp_path / "pyproject.toml").write_text(f'[tool.mnistrobust.bounds]\n"{name}" = 0.5\n')
    surroundings.chdir(tmp_path)

    with pytest.raises(UsageError, match=said):
        bounded(CHECKS, stated((), CHECKS))


def test_bounds_of_a_suite_count_before_pyproject(model, tmp_path, surroundings):
    """For the checks that it names; the others have pyproject's."""
    table = "[tool.mnistrobust.bounds]\nclean_accuracy = 0.98\nnll = 0.1\n"
    (tmp_path / "pyproject.toml").write_text(table)
    surroundings.chdir(tmp_path)

    names = ["clean_accuracy", "nll"]
    mark = parametrize_with_checks(model, only=names, bounds={"clean_accuracy": 0.5})

    told = {case.id: case.values[0].check.bound for case in mark.args[1]}
    assert ("0.5" in told["clean_accuracy"], "0.1" in told["nll"]) == (True, True), told


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool.mnistrobust.bounds]\nnll = 'low'", "nll: expected a number, received 'low'"),
        ("[tool.mnistrobust]\nbound = 1", "has one table"),
        ("[tool.mnistrobust]\nbounds = 1", "has one table"),
        ("[tool]\nmnistrobust = 3", "has one table"),
        ("tool = 3", "has one table"),
        ("[tool", "cannot be read"),
    ],
)
def test_a_wrong_table_is_one_line(table, said, tmp_path, surroundings):
    """It names the file or the key."""
    (tmp_path / "pyproject.toml").write_text(table)
    surroundings.chdir(tmp_path)

    with pytest.raises(UsageError, match=said):
        stated()


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"clean_acuracy": 0.9}, "did you mean 'clean_accuracy'"),
        (
            {"finite_output": 0.9},
            "finite_output has no figure to bound; these have: clean_accuracy",
        ),
        ({"clean_accuracy": 95}, "clean_accuracy=95: expected a bound from 0 to 1"),
        ({"brier": -0.1}, "brier=-0.1: expected a bound from 0 to 2"),
        ({"nll": float("nan")}, "nll=nan: expected a bound from 0 to inf"),
    ],
)
def test_only_a_figure_has_a_bound_in_its_range(bounds, said):
    """An unknown check, one without a figure, and the range are named."""
    with pytest.raises(UsageError, match=said):
        bounded(CHECKS, bounds)
    with pytest.raises(UsageError, match="expected CHECK=X"):
        stated(["nll"])


def test_every_figure_has_a_reference():
    """Of both data sets, for each severity, and each check that a model without a noise class can meet."""
    known = json.loads((ROOT / "mnistrobust" / "checks" / "reference.json").read_text("utf-8"))
    names = {
        name
        for name, check in ann_figures.checks().items()
        if check.figure and not name.startswith("noise_class")
    }

    assert known["recipe"] == REFERENCE
    figures = [{*known["figures"][data]} for data in ("mnist", "mnist5k")]
    assert figures[0] == figures[1] <= names  # a check that is added later has none
    assert len(figures[0]) > 130
    assert reference("finite_output", "mnist") is None
    assert 0.9 < reference("clean_accuracy", "mnist5k") < 0.95
    assert 0.9 < reference("rotate:11.5", "mnist") < 0.97
