"""For notebooks: claims, evaluations and whole runs, shown as tables.

The data set and the store are chosen as on the command line: by `data` and `store`, else by
`MNISTROBUST_DATA` and `MNISTROBUST_STORE`, else by default.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import pandas as pd

from mnistrobust.conditions import condition_named
from mnistrobust.data import Source, decide
from mnistrobust.errors import MnistRobustError, inert
from mnistrobust.evaluations import Evaluation
from mnistrobust.evidence import load
from mnistrobust.judging import ledger as judging
from mnistrobust.judging.row import Row
from mnistrobust.judging.verdicts import FULL
from mnistrobust.recipes import recipe_named
from mnistrobust.replicates import Replicate
from mnistrobust.report import console, pictures, terminal
from mnistrobust.store import open_store
from mnistrobust.suite import verify as run_specs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Ledger:
    """A ledger that a notebook shows as a table; `passed` says whether a run was as expected.

    `ledger["ann.offset_noise_hurts"]` is the row of one claim. Iteration gives all rows, and
    `ledger.frame` is a data frame.
    """

    ledger: judging.Ledger
    passed: bool | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, in the document's order."""
        return self.ledger.rows

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, in the document's order."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return how many claims there are."""
        return len(self.rows)

    def __getitem__(self, claim_id: str) -> Row:
        """Return a claim's row; raise UsageError with the nearest id if there is none."""
        return self.ledger[str(claim_id)]

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a data frame of text."""
        return pd.DataFrame(self.ledger.table()).map(inert)

    def __repr__(self) -> str:
        """Return what `mnistrobust verify` or `claims` prints, as wide as the terminal."""
        lines = terminal.lines(self.ledger, get_terminal_size().columns)
        return "\n".join(inert(line.plain) for line in lines)

    def _repr_html_(self) -> str:
        said = pd.DataFrame({"": [inert(line) for line in terminal.summary(self.ledger)]})
        return _table(self.frame) + _table(said, header=False)


class _Shown(Evaluation):
    """An evaluation that a notebook shows as a table: evidence depends on the code of `Evaluation`."""

    def _repr_html_(self) -> str:
        facts = {name: console.plain(value) for name, value in self.to_json().items()}
        return _table(pd.DataFrame({"": facts.keys(), " ": facts.values()}), header=False)


@dataclass(frozen=True, eq=False)
class Picture:
    """A matplotlib figure that a notebook shows with any backend."""

    figure: "Figure"

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png")
        return buffer.getvalue()


def claims(
    claim_id: str | None = None, *, data: str | None = None, evidence: str | None = None
) -> Ledger:
    """Return the document's claims, or one, with their verdicts.

    The verdicts are those of full MNIST, or of the data set that `data` names. `evidence` is a file
    or `none`. Raises UsageError for an unknown id.
    """
    name = FULL if data in {None, "auto"} else decide(str(data)).name
    return Ledger(judging.ledger_of(evidence=load(name, evidence), only=claim_id))


def evaluate(
    recipe: str, *, on: str, seed: int = 0, data: str | None = None, store: str | None = None
) -> Evaluation:
    """Return the evaluation of a recipe's network under a condition; train the network if needed.

    Raises UsageError for an unknown recipe or condition.
    """
    replicate = _prepared(recipe, (on,), seed, data, store)
    found = replicate.evaluate(recipe, on=on)
    return _Shown(**{each.name: getattr(found, each.name) for each in fields(found)})


def model(recipe: str, *, seed: int = 0, data: str | None = None, store: str | None = None) -> Any:
    """Return the trained Keras model of a recipe; raise UsageError for an unknown recipe."""
    return _prepared(recipe, (), seed, data, store).model(recipe)


def show(
    recipe: str, *, on: str, seed: int = 0, data: str | None = None, store: str | None = None
) -> Picture:
    """Draw the document's plots of a recipe under a condition; see `mnistrobust show`."""
    return Picture(pictures.overview(_prepared(recipe, (on,), seed, data, store), recipe, on))


def verify(
    *,
    data: str | None = None,
    store: str | None = None,
    seeds: str | None = None,
    evidence: str | None = None,
    offline: bool = False,
) -> Ledger:
    """Train missing networks, check every claim, and return the ledger; see `mnistrobust verify`.

    Raises MnistRobustError if the specs cannot run.
    """
    root = str(open_store(store).root)
    options = {"--data": data, "--store": root, "--seeds": seeds, "--evidence": evidence}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output, console.progress() as tell:
        tell("training what is missing, and checking every claim", 0.0)
        try:
            results, code = run_specs(options, offline=offline, output=output)
        except MnistRobustError:  # it refers to what pytest says
            output.seek(0)
            sys.stderr.write(output.read())
            raise
    ledger = judging.ledger_of(results, load(results.source.name, evidence))
    return Ledger(ledger, passed=code == 0)


@cache
def _replicate(seed: int, source: Source, root: str) -> Replicate:
    return Replicate(seed, source, open_store(root))


def _prepared(
    recipe: str, conditions: tuple[str, ...], seed: int, data: str | None, store: str | None
) -> Replicate:
    """Return a replicate with a recipe's network and evaluations; show progress while they are made."""
    recipe_named(recipe)  # a wrong name fails before any training
    for condition in conditions:
        condition_named(condition)
    replicate = _replicate(seed, decide(data), str(open_store(store).root))
    console.prepare(replicate, [replicate.task(recipe, conditions)], workers=1)
    return replicate


def _table(frame: pd.DataFrame, *, header: bool = True) -> str:
    html: str = frame.to_html(index=False, header=header, border=0, escape=True)
    return html
