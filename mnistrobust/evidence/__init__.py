"""Evidence: what many worlds measured, one committed file for each data set.

Only `mnistrobust replicate` writes it. Under its head it has a table for each claim, a line for
each world: the seed, the figures, and the margins. Numbers have six significant digits: enough
to tell one image of 64,000, and too few for the noise that other libraries bring in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mnistrobust.claims import claim_named
from mnistrobust.errors import MnistRobustError, UsageError

DIGITS = 6  # significant, of every number
MARGINS = ("margin", "halved", "doubled")
_DRAWS, _WITH = "draws ", "with "  # before the name of a figure, or of another recipe
NONE = "none"  # as an option: use no evidence


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where evidence comes from: data set, command, versions, kinds of machine, and code.

    `images` is the number of held-out images, `code` a digest for each recipe and each view, as
    `recipe ann` and `view clean`.
    """

    dataset: str
    digest: str
    images: int
    command: str
    versions: Mapping[str, str]
    machines: tuple[str, ...]
    code: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What all worlds say of one claim; every list has a value for each world.

    `margins` has the keys `margin`, `halved` and `doubled`, or none; `draws` has for each world
    the values of several single looks. `alternatives` holds the same of other recipes in a
    place that the document leaves open, by the recipe's name.
    """

    figures: Mapping[str, tuple[float, ...]]
    margins: Mapping[str, tuple[float, ...]]
    draws: Mapping[str, tuple[tuple[float, ...], ...]]
    alternatives: Mapping[str, "Measured"] = field(default_factory=dict)

    def looks(self, name: str) -> tuple[float, ...]:
        """Return what single looks gave for a figure of the document, over all worlds.

        Where one look is a whole world, these are the worlds' figures; none for another name.
        """
        drawn = tuple(value for world in self.draws.get(name, ()) for value in world)
        return drawn or self.figures.get(name, ())


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The worlds of one data set, by seed, and what they measured, by claim."""

    head: Head
    seeds: tuple[int, ...]
    claims: Mapping[str, Measured]

    @property
    def worlds(self) -> int:
        """How many worlds there are."""
        return len(self.seeds)

    def to_json(self) -> str:
        """Return the evidence as JSON: equal evidence gives equal text."""
        head = {"dataset": self.head.dataset, "worlds": self.worlds, **vars(self.head)}
        lines = [
            f"{json.dumps(name)}: {json.dumps(value, indent=1)}" for name, value in head.items()
        ]
        tables = [f"{json.dumps(name)}: {self._table(each)}" for name, each in self.claims.items()]
        lines.append('"claims": {\n' + ",\n".join(tables) + "}")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def _table(self, measured: Measured) -> str:
        columns = {**measured.figures, **measured.margins}
        rows = [
            [seed, *(_rounded(values[i]) for values in columns.values())]
            for i, seed in enumerate(self.seeds)
        ]
        parts = [f'{{"columns": {json.dumps(["seed", *columns])}', f'"worlds": {_lines(rows)}']
        for name, worlds in measured.draws.items():
            values = [[_rounded(value) for value in world] for world in worlds]
            parts.append(f"{json.dumps(_DRAWS + name)}: {_lines(values)}")
        for name, other in measured.alternatives.items():
            parts.append(f"{json.dumps(_WITH + name)}: {self._table(other)}")
        return ",\n".join(parts) + "}"

    @classmethod
    def from_json(cls, text: str) -> "Evidence":
        """Return the evidence that `to_json` wrote; ValueError for anything else."""
        try:
            fields = json.loads(text)
            claims, worlds = fields.pop("claims"), fields.pop("worlds")
            head = Head(**{**fields, "machines": tuple(fields["machines"])})
            tables = {claim_named(name).id: _measured(table) for name, table in claims.items()}
        except (KeyError, TypeError, AttributeError, IndexError, UsageError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        seeds = {seeds for seeds, _ in tables.values()}
        if len(seeds) != 1 or len(set(*seeds)) != worlds:
            raise ValueError(f"expected {worlds} worlds, the same for each claim")
        measured = MappingProxyType({name: each for name, (_, each) in tables.items()})
        return cls(head=head, seeds=seeds.pop(), claims=measured)


def committed(dataset: str) -> Path:
    """Return the file that holds, or would hold, the evidence of a data set by name."""
    return Path(str(files(__package__).joinpath(f"{dataset}.json")))


def load(dataset: str, chosen: str | None = None) -> Evidence | None:
    """Return the evidence of a data set by name, or None where there is none.

    `chosen` is a file to read instead of the committed one, or `none`. Raises MnistRobustError
    for a damaged file of the library's own, and UsageError for a chosen one that is damaged,
    missing or of another data set.
    """
    if chosen == NONE:
        return None
    path = Path(chosen) if chosen else committed(dataset)
    if not chosen and not path.is_file():
        return None
    found = _load(path)
    if found.head.dataset != dataset:
        raise UsageError(
            f"{path} holds evidence of {found.head.dataset}, and the data set is {dataset}: "
            f"name another file with --evidence, or none."
        )
    return found


@cache
def _load(path: Path) -> Evidence:
    try:
        return Evidence.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"--evidence {path}: {error.strerror}; name a file, or none.") from error
    except ValueError as error:
        kind = MnistRobustError if path == committed(path.stem) else UsageError
        raise kind(
            f"The evidence {path} is damaged ({error}): restore it, or make it anew with "
            f"'mnistrobust replicate'."
        ) from error


def _measured(table: dict[str, Any]) -> tuple[tuple[int, ...], Measured]:
    names, rows = table["columns"], table["worlds"]
    if not rows or names[0] != "seed" or {len(row) for row in rows} != {len(names)}:
        raise ValueError("a world has more or fewer figures than there are columns")
    columns = {
        name: tuple(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    if not all(isinstance(value, int | float) for row in rows for value in row):
        raise ValueError("a figure is no number")
    seeds = columns.pop("seed")
    margins = {name: columns.pop(name) for name in MARGINS if name in columns}
    draws = {
        name.removeprefix(_DRAWS): tuple(map(tuple, worlds))
        for name, worlds in table.items()
        if name.startswith(_DRAWS)
    }
    if {len(each) for each in draws.values()} - {len(seeds)}:
        raise ValueError("a world has no draws")
    others = {
        name.removeprefix(_WITH): _measured(other)
        for name, other in table.items()
        if name.startswith(_WITH)
    }
    if {each for each, _ in others.values()} - {seeds}:
        raise ValueError("an alternative has other worlds")
    alternatives = {name: each for name, (_, each) in others.items()}
    found = Measured(figures=columns, margins=margins, draws=draws, alternatives=alternatives)
    return seeds, found


def _rounded(value: float) -> float:
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def _lines(rows: list[list[Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"
