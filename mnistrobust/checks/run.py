"""Run the checks on a model."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mnistrobust.checks import accuracy, calibration, interface, outliers
from mnistrobust.checks.check import MADE, Check, CheckResult
from mnistrobust.checks.inputs import FAMILIES
from mnistrobust.checks.model import Model, spelled
from mnistrobust.checks.session import Session
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError, unknown

_ORDER = interface.GROUP, accuracy.GROUP, accuracy.NOISE_GROUP, outliers.GROUP, calibration.GROUP
CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.name: check for group in _ORDER for check in MADE if check.group == group}
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the checks say of a model on a data set."""

    session: Session = field(repr=False)  # the model, the data set and the predictions
    results: tuple[CheckResult, ...]

    @property
    def good(self) -> bool:
        """Whether every check ended as expected."""
        return all(result.good for result in self.results)

    def counts(self) -> dict[str, int]:
        """Return how many checks have each status, in the order in which they first appear."""
        statuses = [result.status for result in self.results]
        return {status: statuses.count(status) for status in dict.fromkeys(statuses)}

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values; a figure that is NaN or infinite is None."""
        model, dataset = self.session.model, self.session.dataset
        facts = {
            "model": model.name,
            "outputs": model.outputs,
            "classes": model.classes,
            "input_shape": model.input_shape,
            "pixels": spelled(model.pixels),
            "trials": model.trials,
            "as_accurate_with": model.alike,
            "broken": self.session.broken,
            "dataset": dataset.source.to_json(),
            "held_out_images": len(dataset.test_labels),
            "inputs": {name: family.summary for name, family in FAMILIES.items()},
            "good": self.good,
            "counts": self.counts(),
            "checks": [
                result.check.to_json()
                | {"status": result.status, "reason": result.reason, "figures": result.figures}
                for result in self.results
            ],
        }
        return dict(_finite(facts))


def run(
    model: Model,
    dataset: Dataset,
    *,
    only: Iterable[str] = (),
    expected: Mapping[str, str] | None = None,
    known: Mapping[str, Check] = CHECKS,
    tell: Callable[[str, float], None] = lambda *_: None,
) -> Report:
    """Judge a model by the checks that `selected` returns of `known`.

    `tell` is called with each step and the share that is done.
    """
    expected = expected or {}
    checks = selected(only, expected, known)
    results: list[CheckResult] = []

    def told(text: str) -> None:
        tell(text, len(results) / len(checks))

    session = Session(model, dataset, lambda name: told(f"predicting {name}"))
    for check in checks:
        told(f"checking {check.name}")
        results.append(check.run(session, expected.get(check.name)))
    return Report(session=session, results=tuple(results))


def selected(
    only: Iterable[str], expected: Mapping[str, str], known: Mapping[str, Check] = CHECKS
) -> list[Check]:
    """Return the checks of those names, or all; UsageError for what cannot run or fail as expected."""
    only = tuple(only)
    for name in (*only, *expected):
        if name not in known:
            raise unknown("check", name, known)
    for name, reason in expected.items():
        if only and name not in only:
            raise UsageError(f"{name} is expected to fail, but not among the checks that run.")
        if known[name].bound is None:
            raise UsageError(f"{name} is only reported: it cannot fail unless you set a bound.")
        if not reason.strip():
            raise UsageError(f"{name}: expected a reason for its failure, received none.")
    return [check for name, check in known.items() if not only or name in only]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
