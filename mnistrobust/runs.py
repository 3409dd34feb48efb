"""A whole run: what the specs reported, and the answers to each test image behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mnistrobust.claims import FAMILIES
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError
from mnistrobust.keys import code_digests, versions
from mnistrobust.ledger import Results
from mnistrobust.readings import Reading
from mnistrobust.recipes import RECIPES
from mnistrobust.store import Entry
from mnistrobust.views import VIEWS
from mnistrobust.world import World

Answers = Mapping[tuple[str, str], np.ndarray]  # by recipe and view


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One run of the specs on one world.

    `answers` and `labels` hold arrays (draws, n) of uint8, by recipe and view; `classes` is the
    number of a recipe's classes; `code` has a digest for each recipe and view; `made` is the time
    in UTC, as ISO 8601 writes it.
    """

    results: Results
    made: str
    versions: Mapping[str, str]
    code: Mapping[str, str]
    classes: Mapping[str, int]
    answers: Answers
    labels: Answers

    @property
    def source(self) -> Source:
        """The data set of the run."""
        return self.results.source

    @property
    def families(self) -> tuple[str, ...]:
        """The families of its claims, in the registry's order."""
        found = {each.id.partition(".")[0] for each in self.results.outcomes}
        return tuple(family for family in FAMILIES if family in found)

    def to_entry(self) -> Entry:
        """Return the run as a store keeps it; labels are kept once for all recipes of a view."""
        tensors = {}
        for (recipe, view), answers in self.answers.items():
            tensors[f"answers/{recipe}/{view}"] = answers
            tensors[f"labels/{view}"] = self.labels[recipe, view]
        meta = {
            "results": self.results.to_json(),
            "made": self.made,
            "versions": dict(self.versions),
            "code": dict(self.code),
            "classes": dict(self.classes),
        }
        return Entry(tensors, meta)

    @classmethod
    def from_entry(cls, entry: Entry) -> "Run":
        """Return the run that `to_entry` described; ValueError for another entry."""
        names = [name.split("/") for name in entry.tensors if name.startswith("answers/")]
        try:
            return cls(
                results=Results.from_json(entry.meta["results"]),
                answers={(r, v): entry.tensors[f"answers/{r}/{v}"] for _, r, v in names},
                labels={(r, v): entry.tensors[f"labels/{v}"] for _, r, v in names},
                **{name: entry.meta[name] for name in ("made", "versions", "code", "classes")},
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"no run: {error}") from error


def run_of(results: Results, world: World) -> Run:
    """Join what the specs of a world reported with the answers that its store has.

    Nothing is trained or read anew. Raises MnistRobustError where the store has no answers.
    """
    readings = {
        (recipe, view): reading
        for recipe in RECIPES
        for view in VIEWS
        if (reading := _stored(world, recipe, view)) is not None
    }
    if not readings:
        raise MnistRobustError(
            f"The store {world.store.root} has no answers of this run: free space on its disk, "
            f"or name another folder with --store."
        )
    return Run(
        results=results,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        code=code_digests(),
        classes={recipe: reading.classes for (recipe, _), reading in readings.items()},
        answers={place: reading.answers for place, reading in readings.items()},
        labels={place: reading.labels for place, reading in readings.items()},
    )


def _stored(world: World, recipe: str, view: str) -> Reading | None:
    key = world.reading_key(recipe, view)
    entry = world.store.get(key) if key else None
    return Reading.from_entry(entry) if entry else None
