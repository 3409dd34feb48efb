"""Fixtures and checks for a pytest suite of your own.

`pytest_plugins = ["mnistrobust.testing"]` in its root `conftest.py` gives its tests the fixtures
of this project's specs. Of the package, only this module imports pytest.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from mnistrobust.checks.bounds import bounded, stated
from mnistrobust.checks.check import FAILED, NOT_APPLICABLE, Check, CheckResult
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.run import CHECKS, selected
from mnistrobust.checks.session import Session
from mnistrobust.comparison.against import checks_against
from mnistrobust.data import decide, load
from mnistrobust.errors import MnistRobustError
from mnistrobust.store.code import suite_root

__all__ = ["ModelCheck", "parametrize_with_checks", "pytest_plugins"]

_PLUGINS = f"{__package__}.plugins"  # no `fixtures`: that may be a package of the reader's


def _plugins(*names: str) -> list[str]:
    """Make `fixtures/`, of the clone or the wheel, a package of a name that collides with none."""
    if _PLUGINS not in sys.modules:
        folder = suite_root() / "fixtures"
        spec = spec_from_file_location(
            _PLUGINS, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder}: expected the package of the fixtures.")
        sys.modules[_PLUGINS] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_PLUGINS])
    return [f"{_PLUGINS}.{name}" for name in names]


# those that a reader's tests need; the others would change their workers and hypothesis profiles
pytest_plugins = _plugins("settings", "replicates", "progress")


def parametrize_with_checks(
    model: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    only: Iterable[str] = (),
    against: str | Path | None = None,
    bounds: Mapping[str, float] | None = None,
    data: str | None = None,
    input_shape: str | None = None,
    pixels: tuple[float, float] | None = None,
    outputs: str | None = None,
    arch: str | None = None,
    trust: bool = False,
) -> Callable[[Any], Any]:
    """Return a decorator that runs a test once for each check, with it as the argument `check`.

    `model` is a trained model, a function of images, or a text as `mnistrobust check` takes it
    (`package.module:predict`, or a file); a text is loaded by the first test that runs.
    `expected_failures` maps checks to the reasons why they fail; they are strict xfails. `only`
    names the checks to run. `against` is what the model must not be worse than: an .npz file of
    `mnistrobust baseline save`, or whatever `mnistrobust compare` takes; it adds the checks
    `no_worse_accuracy`, `no_worse_recall` and so on. `bounds` are bounds of one's own by check; so are
    those in `[tool.mnistrobust.bounds]` of `pyproject.toml`. `data` is the data set (default:
    `MNISTROBUST_DATA`, or auto); the others are as in `checks.opening.open_model`. A model that
    cannot be opened fails one test, and the others are skipped. Raises UsageError, when the test is
    collected, for the name of a check that does not exist or cannot fail.
    """
    expected = dict(expected_failures or {})
    how: dict[str, Any] = {
        "input_shape": input_shape,
        "pixels": pixels,
        "outputs": outputs,
        "arch": arch,
        "trust": trust,
    }

    problems: list[str] = []

    @cache
    def session() -> Session:
        if problems:
            pytest.skip("there is no model to judge: the first failure says why")
        try:
            dataset = load(decide(data))
            return Session(open_model(model, dataset, **how), dataset)
        except MnistRobustError as error:
            problems.append(str(error))
        pytest.fail(problems[0], pytrace=False)

    cases = []
    known = bounded(CHECKS, stated() | dict(bounds or {}))
    known |= checks_against(str(against)) if against else {}
    for check in selected(only, expected, known):
        reason = expected.get(check.name)
        xfail = pytest.mark.xfail(strict=True, reason=reason or "", raises=AssertionError)
        case = ModelCheck(check, session, reason)
        cases.append(pytest.param(case, id=check.name, marks=[] if reason is None else [xfail]))
    return pytest.mark.parametrize("check", cases)


@dataclass(frozen=True)
class ModelCheck:
    """One check on one model: call it to judge the model."""

    check: Check
    _session: Callable[[], Session]
    _expected: str | None

    def __call__(self) -> CheckResult:
        """Judge the model and return the result with its figures.

        A failure is an AssertionError with the bound and what came; a check that says nothing
        about this model skips the test, unless it is expected to fail. The model predicts each set
        of inputs once for all checks (under xdist, once in each worker).
        """
        __tracebackhide__ = True
        check = self.check
        result = check.run(self._session())
        if result.status == NOT_APPLICABLE:
            if self._expected is not None:
                pytest.fail(f"{check.name} is expected to fail, but says: {result.reason}")
            pytest.skip(f"not applicable: {result.reason}")
        if result.status == FAILED:
            raise AssertionError(f"{check.statement} Expected {check.bound}; {result.reason}.")
        return result

    def __repr__(self) -> str:
        """Name the check."""
        return f"<check {self.check.name}>"
