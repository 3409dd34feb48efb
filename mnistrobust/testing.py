"""The battery in the reader's own pytest suite. Of the package, only this module imports pytest."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import pytest

from mnistrobust.battery import running
from mnistrobust.battery.exam import Exam
from mnistrobust.battery.finding import find
from mnistrobust.battery.spec import FAILED, NOT_APPLICABLE, Outcome, Spec, chosen
from mnistrobust.battery.subject import subject_of
from mnistrobust.data import decide, from_environment, load

__all__ = ["Check", "parametrize_with_specs"]


def parametrize_with_specs(
    model: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    only: Iterable[str] = (),
    data: str | None = None,
    input_shape: str | None = None,
    outputs: str | None = None,
) -> Callable[[Any], Any]:
    """Return a decorator that runs a test once for each spec, with it as the argument `check`.

    `model` is a trained model, a function of images, or a text as `mnistrobust check` takes it
    (`package.module:predict`, or a file); a text is loaded by the first test that runs.
    `expected_failures` maps specs to the reasons why they fail; they are strict xfails. `only`
    names the specs to run, `data` the data set (default: `MNISTROBUST_DATA`, or auto);
    `input_shape` and `outputs` are as in `battery.subject.subject_of`. Raises UsageError, when
    the test is collected, for the name of a spec that does not exist or cannot fail.
    """
    only, expected = tuple(only), dict(expected_failures or {})
    running.check_names(only, expected)
    session = _Session(model, data, input_shape, outputs)
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
    """A model and what it answered so far, for all specs of one test."""

    def __init__(
        self, model: Any, data: str | None, input_shape: str | None, outputs: str | None
    ) -> None:
        self._model, self._data = model, data
        self._input_shape, self._outputs = input_shape, outputs

    @cached_property
    def exam(self) -> Exam:
        dataset = load(decide(self._data or from_environment()))
        model, shape, outputs = self._model, self._input_shape, self._outputs
        if isinstance(model, str):
            return Exam(find(model, dataset, input_shape=shape, outputs=outputs), dataset)
        name = getattr(model, "__name__", type(model).__name__)
        subject = subject_of(model, name, dataset, input_shape=shape, outputs=outputs)
        return Exam(subject, dataset)


def _marks(reason: str | None) -> list[Any]:
    if reason is None:
        return []
    return [pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError)]
