"""Bounds of one's own, in `pyproject.toml` or on the command line, and the reference beside no bound."""

import json
import math
import tomllib
from collections.abc import Container, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from mnistrobust.checks.check import Check
from mnistrobust.conditions import condition_named
from mnistrobust.errors import UsageError, cause, unknown
from mnistrobust.perturbations import PERTURBATIONS

TABLE = "[tool.mnistrobust.bounds]"
_HIGHEST = {"nll": math.inf, "brier": 2}  # of a figure; all others are shares
REFERENCE = "ann"  # the recipe whose figures stand beside those without a bound


def stated(options: Iterable[str] = (), checks: Container[str] = ()) -> dict[str, float]:
    """Return bounds by check, from the nearest `pyproject.toml` and from texts `CHECK=X`.

    A text counts before the file, which may bound perturbations that are not among the checks of this run.
    Raises UsageError for a file that is no TOML, and for no number.
    """
    bounds: dict[str, float] = {}
    for name, value in _table().items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{TABLE} {name}: expected a number, received {value!r}.")
        kind, _, _ = name.rpartition(":")
        check = condition_named(name).name if kind in PERTURBATIONS else name
        # a module of one's own is not imported for its name
        if check in checks or (kind not in PERTURBATIONS and ":" not in kind):
            bounds[check] = float(value)
    for text in options:
        name, _, value = text.partition("=")
        try:
            bounds[name.strip()] = float(value)
        except ValueError as error:
            raise UsageError(
                f"--bound {text}: expected CHECK=X, as clean_accuracy=0.98."
            ) from error
    return bounds


def bounded(checks: Mapping[str, Check], bounds: Mapping[str, float]) -> dict[str, Check]:
    """Return the checks with these bounds; UsageError for one that its figure cannot reach."""
    found = dict(checks)
    for name, bound in bounds.items():
        if name not in found:
            raise unknown("check", name, found)
        if found[name].figure is None:
            known = ", ".join(each for each, check in found.items() if check.figure)
            raise UsageError(f"{name} has no figure to bound; these have: {known}.")
        highest = _HIGHEST.get(name, 1)
        if not 0 <= bound <= highest:
            raise UsageError(f"{name}={bound:g}: expected a bound from 0 to {highest:g}.")
        found[name] = found[name].bounded(bound)
    return found


def reference(name: str, dataset: str) -> float | None:
    """Return what the document's ANN measures in a check, such as `rotate:23`; None where unknown."""
    known = json.loads(files(__package__).joinpath("reference.json").read_text("utf-8"))
    value = known["figures"].get(dataset, {}).get(name)
    return None if value is None else float(value)


def _table() -> Mapping[str, object]:
    here = Path.cwd()
    for file in (folder / "pyproject.toml" for folder in (here, *here.parents)):
        if file.is_file():
            try:
                table: Any = tomllib.loads(file.read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise UsageError(f"{file}: it cannot be read ({cause(error)}).") from error
            for name in ("tool", "mnistrobust", "bounds"):
                extra = name == "bounds" and set(table) - {name}
                table = table.get(name, {})
                if extra or not isinstance(table, dict):
                    raise UsageError(f"{file}: [tool.mnistrobust] has one table, {TABLE}.")
            return dict(table)
    return {}
