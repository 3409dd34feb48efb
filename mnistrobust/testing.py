"""The battery in the reader's own pytest suite. Of the package, only this module imports pytest."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import pytest

from mnistrobust.battery import running
from mnistrobust.battery.exam import Exam
from mnistrobust.battery.finding import find
from mnistrobust.battery.spec import FAILED, NOT_APPLICABLE, Outcome, Spec, chosen
from mnistrobust.battery.subject import Subject, subject_of
from mnistrobust.data import Dataset, decide, load

__all__ = ["Check", "parametrize_with_specs"]


def parametrize_with_specs(
    model: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    only: Iterable[str] = (),
    data: str | None = None,
    input_shape: str | None = None,
    outputs: str | None = None,
    arch: str | None = None,
    trust: bool = False,
) -> Callable[[Any], Any]:
    """Return a decorator that runs a test once for each spec, with it as the argument `check`.

    `model` is a trained model, a function of images, or a text as `mnistrobust check` takes it
    (`package.module:predict`, or a file); a text is loaded by the first test that runs.
    `expected_failures` maps specs to the reasons why they fail; they are strict xfails. `only`
    names the specs to run, `data` the data set (default: `MNISTROBUST_DATA`, or auto);
    the others are as in `battery.finding.find`. Raises UsageError, when the test is collected, for
    the name of a spec that does not exist or cannot fail.
    """
    only, expected = tuple(only), dict(expected_failures or {})
    running.check_names(only, expected)
    finding: Callable[[Dataset], Subject]
    how: dict[str, Any] = {"input_shape": input_shape, "outputs": outputs}
    if isinstance(model, str):
        finding = partial(find, model, arch=arch, trust=trust, **how)
    else:
        name = getattr(model, "__name__", type(model).__name__)
        finding = partial(subject_of, model, name, **how)
    session = _Session(finding, data)
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                Check(spec, session, expected.get(spec.name)),
                id=spec.name,
                marks=_marks(expected.get(spec.name)),
            )
            for spec in chosen(only, running.SPECS)
        ],
    )


class Check:
    """One spec on one model: call it to judge the model."""

    def __init__(self, spec: Spec, session: "_Session", expected: str | None) -> None:
        """Judge nothing yet."""
        self.spec = spec
        self._session = session
        self._expected = expected

    def __call__(self) -> Outcome:
        """Judge the model and return the outcome with its figures.

        A failure is an AssertionError with the bound and what came; a spec that says nothing
        about this model skips the test, unless it is expected to fail. The model is asked about
        each set of inputs once for all specs (under xdist, once in each worker).
        """
        __tracebackhide__ = True
        found = self.spec.run(self._session.exam)
        if found.status == NOT_APPLICABLE:
            if self._expected is not None:
                pytest.fail(f"{self.spec.name} is expected to fail, but says: {found.reason}")
            pytest.skip(f"not applicable: {found.reason}")
        if found.status == FAILED:
            spec = self.spec
            raise AssertionError(f"{spec.statement} Expected {spec.bound}; {found.reason}.")
        return found

    def __repr__(self) -> str:
        """Name the spec."""
        return f"<check {self.spec.name}>"


class _Session:
    """A model, once it is found, and what it answered so far, for all specs of one test."""

    def __init__(self, finding: Callable[[Dataset], Subject], data: str | None) -> None:
        self._finding, self._data = finding, data

    @cached_property
    def exam(self) -> Exam:
        dataset = load(decide(self._data))
        return Exam(self._finding(dataset), dataset)


def _marks(reason: str | None) -> list[Any]:
    if reason is None:
        return []
    return [pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError)]
