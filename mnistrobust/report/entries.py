"""The ledger's rows as the page shows them: figures beside each other, in words and as dots."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistrobust import ledger
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import ERROR, FAILS, HOLDS, VERDICTS, Results, Row
from mnistrobust.report import dots
from mnistrobust.statistics import PROVISIONAL, REPRODUCED
from mnistrobust.summary import wrong

if TYPE_CHECKING:
    from markupsafe import Markup

    from mnistrobust.verdicts import Verdict

NOT_JUDGED = "not judged"  # of what the document asserts nothing about
MARGIN = "margin"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of a claim's table; what nobody measured or printed is empty."""

    name: str
    document: str
    run: str
    worlds: str
    strip: "Markup | None"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One claim of the ledger: its row, its verdict in a word, its figures and its dots.

    `held` is whether it holds in this run, None where that is not asked; `rate` and `margin` are
    what a reader may sort by.
    """

    row: Row
    word: str
    figures: tuple[Figure, ...]
    hold_rate: "Markup | None"
    held: bool | None
    rate: float | None
    margin: float | None

    @property
    def verdict(self) -> "Verdict | None":
        """The verdict with its figures, where the evidence gives one."""
        return self.row.verdict

    @property
    def why(self) -> str:
        """What decides it, in words: an error, the worlds' figures, or else those of this run."""
        if any(each.error for each in self.row.outcomes):
            return self.row.measured
        if self.verdict is None or self.word == REPRODUCED:
            margin = "" if self.row.margin is None else f"; margin {self.row.margin:+.3f}"
            return f"{self.row.measured.replace('_', ' ')}{margin}"
        shown = [each for each in self.figures if each.name != MARGIN and each.worlds]
        told = ", ".join(f"{each.name} {each.worlds}" for each in shown)
        return f"{told}; median margin {self.verdict.median:+.3f}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The page's first lines: counts of verdicts, counts of this run, and what is wrong.

    `verdicts` and `run` count judged claims by a word. `provisional` says that there is no
    verdict yet. `wrong` is what `summary.wrong` says of them.
    """

    judged: int
    verdicts: Mapping[str, int]
    run: Mapping[str, int]
    provisional: bool
    wrong: tuple[tuple[str, tuple[Entry, ...]], ...]


def entries(results: Results, evidence: Evidence | None) -> list[Entry]:
    """Return an entry for each claim, in the document's order."""
    return [_entry(row, evidence) for row in ledger.rows(results, evidence)]


def summary(found: Sequence[Entry]) -> Summary:
    """Count what was found, and list first what the document is wrong about."""
    judged = [each for each in found if each.row.claim.judged]
    verdicts = Counter(each.word for each in judged)
    provisional = not any(verdicts[word] for word in VERDICTS)
    run = Counter(_here(each) for each in judged)
    by_id = {each.row.claim.id: each for each in found}
    groups = wrong(each.row for each in found)
    return Summary(
        judged=len(judged),
        verdicts={
            word: verdicts[word]
            for word in (*VERDICTS, PROVISIONAL)
            if verdicts[word] or word in VERDICTS
        },
        run=dict(run),
        provisional=provisional,
        wrong=tuple(
            (word, tuple(by_id[row.claim.id] for row in group)) for word, group in groups.items()
        ),
    )


def _entry(row: Row, evidence: Evidence | None) -> Entry:
    word, verdict = row.judged[0], row.verdict
    lowest = row.margin if row.claim.judged else None
    rate = verdict.held / verdict.worlds if verdict else None
    return Entry(
        row=row,
        word=word if row.claim.judged else NOT_JUDGED,
        figures=_figures(row, evidence),
        hold_rate=dots.hold_rate(verdict) if verdict else None,
        held=_held(row),
        rate=rate,
        margin=verdict.median if verdict else lowest,
    )


def _held(row: Row) -> bool | None:
    words = {each.word for each in row.outcomes}
    return None if not words or words - {HOLDS, FAILS} else words == {HOLDS}


def _here(entry: Entry) -> str:
    """Say in a word what this run shows; with several worlds, whether the claim holds in all."""
    if entry.held is None:
        return ERROR if entry.row.outcome == ERROR else "not run"
    return HOLDS if entry.held else FAILS


def _figures(row: Row, evidence: Evidence | None) -> tuple[Figure, ...]:
    """Return the margin, where the claim has one, and each figure of the document or ours."""
    measured = evidence.claims.get(row.claim.id) if evidence else None
    margins = [each.margin for each in row.outcomes if each.margin is not None]
    names = dict.fromkeys(row.claim.reported)
    for each in [*(one.figures for one in row.outcomes), measured.figures if measured else {}]:
        names.update(dict.fromkeys(each))
    found = []
    worlds = measured.margins.get(MARGIN, ()) if measured else ()
    if row.claim.judged and (margins or worlds):
        found.append(_figure(row, MARGIN, margins, worlds))
    for name in names:
        runs = [one.figures[name] for one in row.outcomes if name in one.figures]
        worlds = measured.figures.get(name, ()) if measured else ()
        found.append(_figure(row, name, runs, worlds))
    return tuple(found)


def _figure(row: Row, name: str, runs: Sequence[float], worlds: Sequence[float]) -> Figure:
    reported = None if name == MARGIN else row.claim.reported.get(name)
    looks = None if name == MARGIN else row.places.get(name)
    sign = "+" if name == MARGIN else "-"
    strip = None
    if worlds or looks:
        strip = dots.strip(name, worlds, runs=runs, reported=reported, looks=looks)
    return Figure(
        name=name.replace("_", " "),
        document="" if reported is None else f"{reported:.4g}",
        run=_short(float(np.mean(runs)), 3, sign) if runs else "",
        worlds=f"{_short(float(np.mean(worlds)), 3, sign)} ± {_short(_sd(worlds), 2)}"
        if worlds
        else "",
        strip=strip,
    )


def _short(value: float, digits: int, sign: str = "-") -> str:
    """Write a number with so many significant digits, and a tiny one without an exponent."""
    tiny = 0 < abs(value) < 0.001
    return f"{value:{sign}.4f}" if tiny else f"{value:{sign}.{digits}g}"


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
