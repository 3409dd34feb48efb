"""For notebooks: claims, readings and whole runs, as values that show themselves as tables.

The data set and the store are those of the command line: what `data` and `store` name, or
`MNISTROBUST_DATA` and `MNISTROBUST_STORE`, or the defaults.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from mnistrobust import rendering
from mnistrobust.claims import claim_named, load_claims
from mnistrobust.data import Source, decide
from mnistrobust.errors import MnistRobustError, inert
from mnistrobust.evidence import load
from mnistrobust.ledger import Results, Row, row, rows
from mnistrobust.readings import Reading
from mnistrobust.recipes import recipe_named
from mnistrobust.store import open_store
from mnistrobust.summary import summary
from mnistrobust.verifying import verify as run_specs
from mnistrobust.views import view_named
from mnistrobust.world import Task, World

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOCUMENT = "mnist"  # only full MNIST judges the document


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """Claims with their verdicts and, after a run, what it measured; shown as a table.

    `ledger["ann.offset_noise_hurts"]` is one row. `results` are those of the run, and `passed`
    whether it was as expected; both are None without one.
    """

    rows: tuple[Row, ...]
    said: str
    results: Results | None = None
    passed: bool | None = None

    def __getitem__(self, claim_id: str) -> Row:
        """Return a claim's row; UsageError with the nearest id when there is none."""
        wanted = claim_named(claim_id)
        return next(each for each in self.rows if each.claim == wanted)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in the document's order."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a frame of text, by claim."""
        columns = {
            "claim": [each.claim.id for each in self.rows],
            "statement": [each.claim.statement for each in self.rows],
            "the document": [each.claim.said for each in self.rows],
            **(
                {
                    "measured": [each.measured for each in self.rows],
                    "outcome": [each.outcome for each in self.rows],
                }
                if self.results
                else {}
            ),
            "verdict": ["; ".join(each.judged) for each in self.rows],
        }
        return pd.DataFrame(columns).map(inert)

    def __repr__(self) -> str:
        """Return the table as text."""
        return f"{self.frame.to_string(index=False)}\n{inert(self.said)}"

    def _repr_html_(self) -> str:
        return _table(self.frame) + _table(pd.DataFrame({"": [inert(self.said)]}), header=False)


class _Shown(Reading):
    """A reading that a notebook shows as a table; `Reading` itself is what evidence is made by."""

    def __repr__(self) -> str:
        return self._facts().to_string(index=False, header=False)

    def _repr_html_(self) -> str:
        return _table(self._facts(), header=False)

    def _facts(self) -> pd.DataFrame:
        facts = {name: rendering.plain(value) for name, value in self.to_json().items()}
        return pd.DataFrame({"": facts.keys(), " ": facts.values()})


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure of matplotlib that a notebook shows, whatever backend is set."""

    figure: "Figure"

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png")
        return buffer.getvalue()


def claims(
    claim_id: str | None = None, *, data: str | None = None, evidence: str | None = None
) -> Ledger:
    """Return the document's claims, or one, with their verdicts.

    The verdicts are those of full MNIST, or of the set that `data` names; `evidence` is a file,
    or `none`. Raises UsageError for an unknown id.
    """
    name = _DOCUMENT if data in {None, "auto"} else decide(str(data)).name
    known = load(name, evidence)
    chosen = [claim_named(claim_id)] if claim_id else load_claims().values()
    worlds = f"by {known.worlds} worlds" if known else "no worlds yet"
    said = f"{len(load_claims())} claims; verdicts on {name}, {worlds}"
    return Ledger(rows=tuple(row(each, known) for each in chosen), said=said)


def read(
    recipe: str, *, on: str, seed: int = 0, data: str | None = None, store: str | None = None
) -> Reading:
    """Return what a recipe's network does on a view; it is trained first where that is needed.

    Raises UsageError for an unknown recipe or view.
    """
    world = _prepared(recipe, (on,), seed, data, store)
    found = world.read(recipe, on=on)
    return _Shown(**{each.name: getattr(found, each.name) for each in fields(found)})


def model(recipe: str, *, seed: int = 0, data: str | None = None, store: str | None = None) -> Any:
    """Return the trained Keras model of a recipe; UsageError for an unknown one."""
    return _prepared(recipe, (), seed, data, store).model(recipe)


def show(
    recipe: str, *, on: str, seed: int = 0, data: str | None = None, store: str | None = None
) -> Picture:
    """Draw the document's pictures of a recipe on a view; see `mnistrobust show`."""
    return Picture(rendering.overview(_prepared(recipe, (on,), seed, data, store), recipe, on))


def verify(
    *,
    data: str | None = None,
    store: str | None = None,
    seeds: str | None = None,
    evidence: str | None = None,
    offline: bool = False,
) -> Ledger:
    """Train what is missing, check every claim, and return the ledger; see `mnistrobust verify`.

    Raises UsageError outside a clone, and MnistRobustError where the specs cannot run.
    """
    options = {
        "--data": data,
        "--store": str(open_store(store).root),
        "--seeds": seeds,
        "--evidence": evidence,
    }
    results, code = run_specs(options, offline=offline)
    if results is None:
        raise MnistRobustError("The specs could not run: see what pytest says above.")
    known = load(results.source.name, evidence)
    said = next(iter(summary(results, known)))
    found = tuple(rows(results, known))
    return Ledger(rows=found, said=said, results=results, passed=code == 0)


@cache
def _world(seed: int, source: Source, root: str) -> World:
    return World(seed, source, open_store(root))


def _prepared(
    recipe: str, views: tuple[str, ...], seed: int, data: str | None, store: str | None
) -> World:
    """Return a world that has a recipe's network and its readings, with progress until it does."""
    recipe_named(recipe)  # fail before training for a wrong name
    for view in views:
        view_named(view)
    source = decide(data)
    world = _world(seed, source, str(open_store(store).root))
    rendering.prepare(world, [Task(recipe, views)], workers=1)
    return world


def _table(frame: pd.DataFrame, *, header: bool = True) -> str:
    html: str = frame.to_html(index=False, header=header, border=0, escape=True)
    return html
