"""What a perturbation is, how one is registered, and how a name with a dose becomes one."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mnistrobust.errors import DoseError, ImageError, UsageError, unknown
from mnistrobust.transforms import Images, checked

Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

SIDE = 28
SEVERITIES = 5
_OURS = __name__.rpartition(".")[0]
_registered: "dict[str, Perturbation]" = {}
PERTURBATIONS: "Mapping[str, Perturbation]" = MappingProxyType(_registered)


@dataclass(frozen=True, kw_only=True, eq=False)
class Perturbation:
    """A graded transform of images: `rotate(images, 15, rng)`.

    `doses` are the lowest and the highest dose, in the `unit`; dose 0 changes nothing. The five
    `severities` are marked doses. `reads` says what a person still reads. One draw is `shared` by all
    images of a set, or each image has its own. Pixels end in [0, `ceiling`].
    """

    name: str
    summary: str
    unit: str
    doses: tuple[float, float]
    severities: tuple[float, ...]
    reads: str
    function: Function
    shared: bool = False
    ceiling: float = 1.0

    def __call__(self, images: Images, dose: float, rng: np.random.Generator) -> Images:
        """Return the perturbed images, of the same kind, shape, dtype, index and columns.

        Images are as in `transforms`; pixels outside [0, 1] are cut first. Raises DoseError for a
        dose out of range, and ImageError for other images.
        """
        given = checked(images)
        dose = self.checked(dose)
        result = np.array(given, order="C")
        if dose and len(given):
            # half floats are too coarse, and SciPy has no filters for them
            precise = np.result_type(given.dtype, np.float32)
            pixels = np.clip(result.astype(precise), 0, 1).reshape(-1, SIDE, SIDE)
            changed = np.asarray(self.function(pixels, dose, rng))
            if changed.shape != (len(given), SIDE, SIDE):
                expected = f"expected images ({len(given)}, 28, 28) from it"
                raise ImageError(f"{self.name}: {expected}, received {changed.shape}.")
            result[:] = np.clip(changed, 0, self.ceiling).reshape(given.shape)
        if isinstance(images, pd.DataFrame):
            return pd.DataFrame(result, images.index, images.columns)
        return result

    def checked(self, dose: Any) -> float:
        """Return a dose in range as a float; DoseError for any other value."""
        number = isinstance(dose, int | float | np.integer | np.floating)
        if isinstance(dose, bool) or not (number and self.doses[0] <= dose <= self.doses[1]):
            raise DoseError(f"{self.name}:{dose}: expected {self.usage}.")
        return float(dose)

    @property
    def usage(self) -> str:
        """How to name a dose."""
        low, high = self.doses
        example = f"{self.name}:{self.severities[1]:g}"
        return f"a dose from {low:g} to {high:g} ({self.unit}), such as {example}"

    def to_json(self) -> dict[str, Any]:
        """Return what the perturbation says of itself as JSON values."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "function"
        }

    def __reduce__(self) -> tuple[Callable[[str], "Perturbation"], tuple[str]]:
        """Travel to another process by name: the module has this object in its function's place."""
        return perturbation_named, (self.name,)


def perturbation(
    *,
    unit: str,
    doses: tuple[float, float],
    severities: tuple[float, ...],
    reads: str,
    shared: bool = False,
    ceiling: float = 1.0,
) -> Callable[[Function], Perturbation]:
    """Register a function as a perturbation; see `Perturbation` for what the arguments say.

    The function takes images (n, 28, 28) in [0, 1], a dose other than 0 and a generator, and returns
    such images. Its docstring is the summary. One of your own is named `module:function`. Raises
    DoseError unless the five severities ascend within the range, from above 0.
    """

    def register(function: Function) -> Perturbation:
        module, name = function.__module__, function.__name__
        ours = module.rpartition(".")[0] == _OURS
        made = Perturbation(
            name=name.replace("_", "-") if ours else f"{module}:{name}",
            summary=(function.__doc__ or name).strip().splitlines()[0].rstrip("."),
            unit=unit,
            doses=doses,
            severities=severities,
            reads=reads,
            function=function,
            shared=shared,
            ceiling=ceiling,
        )
        rising = all(low < high for low, high in pairwise((0.0, *severities)))
        within = doses[0] <= 0 and max(severities, default=0) <= doses[1]
        if len(severities) != SEVERITIES or not (rising and within):
            raise DoseError(
                f"{made.name}: expected five ascending severities in {doses}, which has 0, "
                f"received {severities}."
            )
        _registered[made.name] = made
        return made

    return register


def perturbation_named(name: str) -> Perturbation:
    """Return a perturbation by its name; one of your own, `module:function`, is imported.

    Raises UsageError for an unknown name, with the nearest known one, and for a failing import.
    """
    module, colon, _ = name.partition(":")
    if name not in _registered and colon:
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UsageError(
                f"{name}: importing '{module}' raised {type(error).__name__}: {error}; "
                f"run the command in its folder."
            ) from error
    if name not in _registered:
        raise unknown("perturbation", name, _registered)
    return _registered[name]


def dosed(text: str) -> tuple[Perturbation, float]:
    """Return the perturbation and the dose that a text such as `rotate:15` names.

    Raises UsageError for an unknown name, DoseError for a dose that is missing or out of range.
    """
    name, _, number = text.rpartition(":")
    try:
        dose = float(number)
    except ValueError:
        named = perturbation_named(name if name in _registered else text)
        raise DoseError(f"{text}: expected {named.usage}.") from None
    named = perturbation_named(name)
    return named, named.checked(dose)
