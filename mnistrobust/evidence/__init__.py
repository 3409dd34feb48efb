"""Evidence: what many replicates measured, one committed file for each data set.

Only `mnistrobust replicate` writes it. Under its head it has a table for each claim, a line for
each replicate: the seed, the figures, and the margins. Numbers have six significant digits: enough
to tell one image of 64,000, and too few for the noise that other libraries bring in.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.files import absolute, parsed, regular, typed
from mnistrobust.registry import claim_named

DIGITS = 6  # significant, of every number
MARGINS = ("margin", "halved", "doubled")
_DRAWS = "draws "  # before the name of a figure
NONE = "none"  # as an option: use no evidence


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where evidence comes from: data set, command, versions, kinds of machine, and code."""

    dataset: str
    digest: str
    images: int  # held out
    command: str
    versions: Mapping[str, str]
    machines: tuple[str, ...]
    code: Mapping[str, str]  # digests of recipes and conditions: `recipe ann`, `condition clean`


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What all replicates say of one claim; every list has a value for each replicate."""

    figures: Mapping[str, tuple[float, ...]]
    margins: Mapping[str, tuple[float, ...]]  # by MARGINS, or none
    draws: Mapping[str, tuple[tuple[float, ...], ...]]  # each with the values of single draws

    def single_draws(self, name: str) -> tuple[float, ...]:
        """Return a figure of single draws, or of replicates where each is one draw; or nothing."""
        drawn = tuple(value for replicate in self.draws.get(name, ()) for value in replicate)
        return drawn or self.figures.get(name, ())


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The replicates of one data set, by seed, and what they measured, by claim."""

    head: Head
    seeds: tuple[int, ...]
    claims: Mapping[str, Measured]

    @property
    def replicates(self) -> int:
        """How many replicates there are."""
        return len(self.seeds)

    def to_json(self) -> str:
        """Return the evidence as JSON: equal evidence gives equal text."""
        head = {"dataset": self.head.dataset, "replicates": self.replicates, **vars(self.head)}
        lines = [
            f"{json.dumps(name)}: {json.dumps(value, indent=1)}" for name, value in head.items()
        ]
        tables = [f"{json.dumps(name)}: {self._table(each)}" for name, each in self.claims.items()]
        lines.append('"claims": {\n' + ",\n".join(tables) + "}")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def _table(self, measured: Measured) -> str:
        columns = {**measured.figures, **measured.margins}
        table = zip(self.seeds, *columns.values(), strict=True)
        rows = [[seed, *map(rounded, values)] for seed, *values in table]
        parts = [f'{{"columns": {json.dumps(["seed", *columns])}', f'"replicates": {_lines(rows)}']
        for name, replicates in measured.draws.items():
            drawn = [[*map(rounded, replicate)] for replicate in replicates]
            parts.append(f"{json.dumps(_DRAWS + name)}: {_lines(drawn)}")
        return ",\n".join(parts) + "}"

    @classmethod
    def from_json(cls, text: str) -> "Evidence":
        """Return the evidence that `to_json` wrote; ValueError for anything else."""
        try:
            fields = parsed(text)
            claims, replicates = fields.pop("claims"), fields.pop("replicates")
            head = typed(Head, fields, "the head")
            tables = {claim_named(name).id: _measured(table) for name, table in claims.items()}
        except (KeyError, TypeError, AttributeError, IndexError, UsageError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        seeds = {seeds for seeds, _ in tables.values()}
        if len(seeds) != 1 or len(set(*seeds)) != replicates:
            raise ValueError(f"expected {replicates} seeds, the same for each claim")
        measured = MappingProxyType({name: each for name, (_, each) in tables.items()})
        return cls(head=head, seeds=seeds.pop(), claims=measured)


def committed(dataset: str) -> Path:
    """Return the file that holds, or would hold, the evidence of a data set by name."""
    return Path(__file__).with_name(f"{dataset}.json")


def load(dataset: str, chosen: str | None = None) -> Evidence | None:
    """Return the evidence of a data set by name, or None where there is none.

    `chosen` is a file to read instead of the committed one, or `none`. Raises MnistRobustError
    for a damaged file of the library's own, and UsageError for a chosen one that is damaged,
    missing or of another data set.
    """
    path = committed(dataset)
    if chosen == NONE or not (chosen or path.is_file()):
        return None
    if chosen:
        path = absolute(chosen)
    found = _load(path, _stamp(path))
    if found.head.dataset != dataset:
        raise UsageError(
            f"{path} holds evidence of {found.head.dataset}, and the data set is {dataset}: "
            f"name another file with --evidence, or none."
        )
    return found


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes where a file is written again: its size, and its time in nanoseconds."""
    with suppress(OSError):
        return path.stat().st_size, path.stat().st_mtime_ns
    return None


@cache
def _load(path: Path, _: tuple[int, int] | None) -> Evidence:
    try:
        return Evidence.from_json(regular(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"--evidence {path}: {error.strerror}; name a file, or none.") from error
    except ValueError as error:
        kind = MnistRobustError if path == committed(path.stem) else UsageError
        raise kind(
            f"The evidence {path} is damaged ({error}): restore it, or make it anew with "
            f"'mnistrobust replicate'."
        ) from error


def _measured(table: dict[str, Any]) -> tuple[tuple[int, ...], Measured]:
    names, rows = table["columns"], table["replicates"]
    if not rows or names[0] != "seed" or {len(row) for row in rows} != {len(names)}:
        raise ValueError("a seed has more or fewer figures than there are columns")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    _check_numbers(rows)
    seeds = columns.pop("seed")
    margins = {name: columns.pop(name) for name in MARGINS if name in columns}
    draws = {
        name.removeprefix(_DRAWS): tuple(map(tuple, replicates))
        for name, replicates in table.items()
        if name.startswith(_DRAWS)
    }
    for replicates in draws.values():
        _check_numbers(replicates)
    if {len(each) for each in draws.values()} - {len(seeds)}:
        raise ValueError("a seed has no draws")
    return seeds, Measured(figures=columns, margins=margins, draws=draws)


def _check_numbers(rows: Iterable[Iterable[object]]) -> None:
    if not all(type(value) in {int, float} and isfinite(value) for row in rows for value in row):  # type: ignore[arg-type]
        raise ValueError("a figure is no number")


def rounded(value: float) -> float:
    """Return a number as evidence has it: with six significant digits."""
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def _lines(rows: list[list[Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"
