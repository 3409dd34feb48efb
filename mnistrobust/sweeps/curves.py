"""Curves of one model: accuracy, confidence and loss against dose, and the dose that halves accuracy."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mnistrobust.checks.bounds import reference
from mnistrobust.comparison.paired import spread
from mnistrobust.errors import DoseError
from mnistrobust.perturbations import PERTURBATIONS, Perturbation, dosed, perturbation_named

Dose = float | None  # None is beyond the last dose of a sweep


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The doses at which a perturbation is swept: 0, then away from 0."""

    name: str  # of the perturbation, with the last dose where that is none of its severities
    perturbation: Perturbation
    doses: tuple[float, ...]

    @property
    def places(self) -> slice:
        """Where six of the doses are: 0 and the five severities, or as many at equal distances."""
        return slice(None, None, len(self.doses) // 5)

    @property
    def steps(self) -> tuple[float, ...]:
        """These six doses."""
        return self.doses[self.places]

    @property
    def marked(self) -> bool:
        """Whether the steps are the severities."""
        return self.name == self.perturbation.name

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that have these doses."""
        doses = (repr(dose).removesuffix(".0") for dose in self.doses[1:])
        return ("clean", *(f"{self.perturbation.name}:{dose}" for dose in doses))


def ladder(text: str, *, fine: bool = True) -> Ladder:
    """Return the doses for `rotate`, to its last severity, or for `rotate:-60`, to that dose.

    `fine` has a dose between any two of six. Raises UsageError for no name, DoseError for no dose.
    """
    name, _, last_dose = text.rpartition(":")
    try:
        float("0" if name in PERTURBATIONS else last_dose)
    except ValueError:
        perturbation = perturbation_named(text)
        name, steps = perturbation.name, [0.0, *perturbation.severities]
    else:
        perturbation, last = dosed(text)
        if not last:
            raise DoseError(f"{text}: expected a dose other than 0, to sweep from 0 to it.")
        name = f"{perturbation.name}:{last:g}"
        steps = [0.0, *(last * step / 5 for step in range(1, 6))]
    places = np.linspace(0, 5, 11 if fine else 6)
    low, high = perturbation.doses
    rounded = (float(f"{dose:g}") for dose in np.interp(places, range(6), steps))
    doses = tuple(min(max(dose, low), high) for dose in rounded)  # in range once more
    return Ladder(name=name, perturbation=perturbation, doses=doses)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One model under one perturbation.

    `right` (networks, doses, n) has the share of draws for which an image is predicted rightly.
    `confidence` and `nll` (networks, doses) are means over images; NLL is in nats. `failed` counts the
    images with NaN or infinity: they are wrong, with no confidence and the largest loss, 50.
    """

    ladder: Ladder
    right: np.ndarray
    confidence: np.ndarray
    nll: np.ndarray
    failed: np.ndarray

    @cached_property
    def accuracy(self) -> np.ndarray:
        """The accuracy (doses,), a mean over networks."""
        return np.asarray(self.right.mean(axis=(0, 2)))

    @cached_property
    def interval(self) -> np.ndarray:
        """The 95% interval of the accuracy (2, doses), over images, and over networks if there are several."""
        return self._interval(self.right).clip(0, 1)

    @cached_property
    def half_dose(self) -> Dose:
        """The dose at which the accuracy falls to half of that at dose 0, linear between doses."""
        return self._fall(self.accuracy - self.accuracy[0] / 2)

    @cached_property
    def half_dose_interval(self) -> tuple[Dose, Dose]:
        """The 95% interval of that dose, its end nearer to 0 first, by Fieller's way.

        It has the doses at which the interval of the difference from half, on the same images, has 0.
        """
        low, high = self._interval(self.right - self.right[:, :1] / 2)
        return self._fall(low), self._fall(high)

    def _interval(self, scores: np.ndarray) -> np.ndarray:
        middle = scores.mean(axis=(0, 2))
        reach = np.array([spread(scores[:, place])[2] for place in range(scores.shape[1])])
        return np.stack([middle - reach, middle + reach])

    def _fall(self, values: np.ndarray) -> Dose:
        """Return the first dose at which values fall to 0; None if they do not."""
        below = np.flatnonzero(values <= 0)
        if not below.size:
            return None
        ends = slice(max(int(below[0]) - 1, 0), int(below[0]) + 1)
        return float(np.interp(0, -values[ends], self.ladder.doses[ends]))

    def to_json(self) -> dict[str, Any]:
        """Return the curve as JSON values; null for a dose beyond the last one."""
        return {
            "doses": list(self.ladder.doses),
            "accuracy": self.accuracy.tolist(),
            "accuracy_interval": self.interval.T.tolist(),
            "confidence": self.confidence.mean(axis=0).tolist(),
            "nll": self.nll.mean(axis=0).tolist(),
            "failed_images": self.failed.sum(axis=0).tolist(),
            "half_dose": self.half_dose,
            "half_dose_interval": list(self.half_dose_interval),
        }


def by_severity(curves: Iterable[Curve]) -> list[float] | None:
    """Return the mean accuracy over perturbations at dose 0 and at severities 1 to 5; None without any."""
    marked = [each.accuracy[each.ladder.places] for each in curves if each.ladder.marked]
    return np.mean(marked, axis=0).tolist() if marked else None


def relative_error(curves: Iterable[Curve], dataset: str) -> float | None:
    """Return the error relative to the document's ANN, a mean over perturbations; None where unknown.

    Of a perturbation, it is the sum of errors at the five severities over that of the reference:
    ImageNet-C's *mean corruption error* (Hendrycks and Dietterich, 2019), as a share. Those that the
    reference lacks, such as your own, have no part in it.
    """
    ratios = []
    for each in curves:
        if known := known_errors(each.ladder, dataset):
            errors = 1 - each.accuracy[each.ladder.places][1:]
            ratios.append(errors.sum() / sum(known))
    return float(np.mean(ratios)) if ratios else None


def known_errors(ladder: Ladder, dataset: str) -> list[float]:
    """Return the reference's errors at the five severities; none where it lacks one."""
    known = [reference(name, dataset) for name in ladder.conditions[ladder.places][1:]]
    found = [1 - accuracy for accuracy in known if accuracy is not None]
    return found if ladder.marked and len(found) == len(known) else []
