"""Tables as Markdown: a run's ledger, the verdicts alone, and what one seed can show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistrobust.errors import inert
from mnistrobust.judging.ledger import Ledger
from mnistrobust.judging.statistics import PROVISIONAL, REFUTED, REPRODUCED, SEED_DEPENDENT
from mnistrobust.judging.verdicts import rule
from mnistrobust.registry import claim_named

if TYPE_CHECKING:
    from mnistrobust.curves import Curves  # at run time it imports pandas


class Ready(str):
    """Text that is Markdown already."""

    __slots__ = ()


def cell(text: str) -> str:
    """Return text as one line that is inert in a Markdown table, and in a terminal that shows it."""
    if isinstance(text, Ready):
        return text
    line = re.sub(r"([\\`*~<>\[\]|])", r"\\\1", inert(text.replace("\n", " ")))
    line = re.sub(r"(?i)\b(www|https?:|ftp:)(?=[./])", r"\1\\", line)  # links without brackets
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)


def code(text: str) -> Ready:
    """Return a name as code."""
    return Ready(f"`{inert(text).replace('`', '').replace('|', '')}`")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; each cell becomes inert unless it is `Ready`."""
    head, *body = (f"| {' | '.join(map(cell, line))} |\n" for line in (columns, *rows))
    return "".join((head, "|---" * len(columns) + "|\n", *body))


def ledger(found: Ledger) -> str:
    """Return a run's ledger as a table, with the data set above it."""
    results, evidence = found.results, found.evidence
    lines = ["# Ledger\n"]
    if results:
        seeds = ", ".join(map(str, results.seeds))
        lines.append(f"Data: {cell(str(results.source))}. Seeds: {seeds}.\n")
        lines += [f"{results.source.notice}\n"] if results.source.notice else []
        lines += [f"In place of {name}: {cell(place)}.\n" for name, place in results.models.items()]
    lines += [f"Verdicts: {rule(evidence.replicates)}.\n"] if evidence else []
    rows = found.table()
    return "\n".join([*lines, table(list(rows[0]), [list(row.values()) for row in rows])])


def verdicts(found: Ledger) -> str:
    """Return the judged claims: a count, and a table for each verdict, wrong ones first."""
    rules = f" Verdicts: {rule(found.evidence.replicates)}." if found.evidence else ""
    parts = [f"Of {len(found.judged)} claims, {found.counts}.{rules}\n"]
    for word in (REFUTED, SEED_DEPENDENT, REPRODUCED, PROVISIONAL):
        columns = ["the document claims", "holds in", "what is true instead"]
        shown = 3 if word in {REFUTED, SEED_DEPENDENT} else 2
        rows = []
        for row in found.by_verdict.get(word, ()):
            statement = Ready(f"{cell(row.claim.statement)} {code(row.claim.id)}")
            wording = row.verdict is not None and row.verdict.depends_on_wording
            held = (row.rate or "–") + (", depends on the wording" if wording else "")
            rows.append([statement, held, row.truth][:shown])
        if rows:
            parts += [f"### {word.capitalize()}\n", table(columns[:shown], rows)]
    return "\n".join(parts)


def curves(found: "Curves") -> str:
    """Return a table for each axis, with the sentence of each of its claims."""
    parts = [f"Made by `{found.head.command}`: {len(found.seeds)} seeds on {found.head.dataset}.\n"]
    for axis in dict.fromkeys(each.axis for each in found.curves):
        rows = [
            (Ready(f"{cell(claim_named(each.claim).statement)} {code(each.claim)}"), each.sentence)
            for each in found.curves
            if each.axis == axis
        ]
        parts += [f"### {axis.capitalize()}\n", table(["the claim", "at which doses"], rows)]
    return "\n".join(parts)


def sensitivity(found: Mapping[str, Any]) -> str:
    """Return the README's block on one data set, from `judging.sensitivity`'s figures."""
    values = [value for named in found["checks"].values() for value in named.values()]
    unseen, count, seeds = len(found["uncheckable"]), len(values), found["replicates"]
    alarms = (
        f"On {found['dataset']}, each of {count} figures and margins has a prediction interval from "
        f"{seeds} seeds. It reaches {found['reach']:.2f} standard deviations to both sides of their mean. "
        f"With less, one of the {seeds} seeds would fail against all the others. So a run without a fault "
        f"fails with a chance of 1 / {seeds + 1}, {found['false_alarms']:.0%}, however the figures are "
        "distributed and depend on each other. "
        f"{unseen} of the {count} are not checkable on one seed: their intervals are too wide.\n"
    )
    seen, wide = [], []
    for claim, named in found["checks"].items():
        for name, value in named.items():
            if value["checkable"]:
                change = f"−{value['smallest_fall']:.2g}, +{value['smallest_rise']:.2g}"
                seen.append((claim, f"{name}: {value['typical']:.3g}, {change}"))
            else:
                wide.append((claim, f"{name}: {value['low']:.3g} to {value['high']:.3g}"))
    checks = f"{found['dataset']}: the smallest change that each of the {count - unseen} checks can detect"
    seen_table = _folded(checks, "typical value, smallest fall, smallest rise", seen)
    others = f"{found['dataset']}: the {unseen} that are not checkable on one seed"
    return f"{alarms}\n{seen_table}\n{_folded(others, 'where one seed may lie', wide)}"


def _folded(summary: str, says: str, phrases: list[tuple[str, str]]) -> str:
    """Return a table that opens on demand: a row for each claim, with all its phrases."""
    rows: dict[str, list[str]] = {}
    for claim, phrase in phrases:
        rows.setdefault(claim, []).append(phrase)
    body = table(("claim", f"figure: {says}"), [(claim, "; ".join(rows[claim])) for claim in rows])
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"
