"""Run the battery on a model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mnistrobust.battery import calibration_specs, interface_specs, outlier_specs, view_specs
from mnistrobust.battery.exam import Exam
from mnistrobust.battery.inputs import FAMILIES
from mnistrobust.battery.spec import Outcome, Spec, against, check_expectations, chosen
from mnistrobust.battery.subject import Subject
from mnistrobust.data import Dataset, Source
from mnistrobust.errors import UsageError

SPECS: Mapping[str, Spec] = MappingProxyType(
    {
        each.name: each
        for module in (interface_specs, view_specs, outlier_specs, calibration_specs)
        for each in module.SPECS
    }
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the battery says of a model on a data set."""

    subject: Subject
    source: Source
    images: int
    outcomes: tuple[Outcome, ...]

    @property
    def good(self) -> bool:
        """Whether every spec ended as it is to."""
        return all(each.good for each in self.outcomes)

    def counts(self) -> dict[str, int]:
        """Return how many specs have each status, in the order in which they first appear."""
        found: dict[str, int] = {}
        for each in self.outcomes:
            found[each.status] = found.get(each.status, 0) + 1
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values; a figure that is no number is None."""
        subject = self.subject
        facts = {
            "model": subject.name,
            "outputs": subject.outputs,
            "classes": subject.classes,
            "input_shape": subject.input_shape,
            "dataset": self.source.to_json(),
            "held_out_images": self.images,
            "inputs": {name: each.summary for name, each in FAMILIES.items()},
            "good": self.good,
            "counts": self.counts(),
            "specs": [each.to_json() for each in self.outcomes],
        }
        found: dict[str, Any] = _plain(facts)
        return found


def run(
    subject: Subject,
    dataset: Dataset,
    *,
    only: Iterable[str] = (),
    expected: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Judge a model by the whole battery, or by the specs that are named.

    `expected` are strict: a spec named there, with a reason, must fail. `tell` hears what is being
    done. Raises UsageError for the name of a spec that does not exist.
    """
    only, expected = tuple(only), expected or {}
    check_names(only, expected)
    specs = chosen(only, SPECS)
    exam = Exam(subject, dataset, lambda name: tell(f"predicting {name}"))
    outcomes = []
    for each in specs:
        tell(each.name)
        outcomes.append(against(each.run(exam), expected))
    return Report(
        subject=subject,
        source=dataset.source,
        images=len(dataset.test_labels),
        outcomes=tuple(outcomes),
    )


def check_names(only: Iterable[str], expected: Mapping[str, str]) -> None:
    """Raise UsageError for a spec that does not exist, or whose failure cannot be expected."""
    specs = {each.name: each for each in chosen(only, SPECS)}
    for name in expected:
        if name in SPECS and name not in specs:
            raise UsageError(f"{name} is expected to fail, but not among the specs that run.")
    check_expectations(expected, SPECS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return None
    return value
