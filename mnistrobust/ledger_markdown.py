"""The ledger as Markdown: a run's, and the verdicts alone."""

from collections.abc import Iterable

from mnistrobust.claims import Claim
from mnistrobust.errors import inert
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import Results, row, rows, verdict_counts
from mnistrobust.statistics import PROVISIONAL, REFUTED, REPRODUCED, SEED_DEPENDENT
from mnistrobust.verdicts import rule

FULL = "mnist"


def markdown(results: Results, evidence: Evidence | None = None) -> str:
    """Return the ledger as a Markdown table, with the data set above it."""
    lines = [
        "# Ledger",
        "",
        f"Data: {cell(str(results.source))}. Seeds: {', '.join(map(str, results.seeds))}.",
        *([f"\n{results.source.notice}"] if results.source.notice else []),
        *(f"\nIn place of {family}: {cell(place)}." for family, place in results.models.items()),
        *([f"\nVerdicts: {rule(evidence.worlds)}."] if evidence else []),
        "",
        "| claim | kind | statement | document | measured | outcome | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in rows(results, evidence):
        claim = each.claim
        said = "; ".join((claim.said, *each.placed))
        verdict = "; ".join((*each.judged, *_instead(claim, results.source.name)))
        cells = (
            claim.id, claim.kind, claim.statement, said, each.measured, each.outcome, verdict,
        )  # fmt: skip
        lines.append(_line(map(cell, cells)))
    return "\n".join(lines) + "\n"


def verdicts_markdown(claims: Iterable[Claim], evidence: Evidence | None) -> str:
    """Return the judged claims as Markdown: a count, and a table for each verdict, wrong first."""
    judged = [row(claim, evidence) for claim in claims if claim.judged]
    dataset = evidence.head.dataset if evidence else FULL
    lines = [f"Of {len(judged)} claims, {verdict_counts(judged, evidence)}."]
    if evidence:
        lines = [f"{lines[0]} Verdicts: {rule(evidence.worlds)}."]
    for word in (REFUTED, SEED_DEPENDENT, REPRODUCED, PROVISIONAL):
        of_word = [each for each in judged if each.judged[0] == word]
        wrong = word in {REFUTED, SEED_DEPENDENT}
        if of_word:
            true = ["what is true instead"] if wrong else []
            names = ["the document claims", "holds in", *true]
            lines += ["", f"### {word.capitalize()}", "", _line(names), _line(["---"] * len(names))]
        for each in of_word:
            verdict, claim = each.verdict, each.claim
            held = f"{verdict.held}/{verdict.worlds}" if verdict else "–"
            if verdict and verdict.depends_on_wording:
                held += ", depends on the wording"
            said = f"{cell(claim.statement)} `{claim.id}`"
            true = ["".join(map(cell, _instead(claim, dataset)))] if wrong else []
            lines.append(_line([said, held, *true]))
    return "\n".join(lines) + "\n"


def _instead(claim: Claim, dataset: str) -> list[str]:
    """Return what is true instead, if anything is: sentences are of full MNIST."""
    where = "" if dataset == FULL else "On full MNIST: "
    return [f"{where}{claim.instead}"] if claim.instead else []


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Return text as one line that is inert in a Markdown table, and in a terminal that shows it."""
    text = inert(text.replace("\n", " "))
    for character in "\\`*_<>[]|":
        text = text.replace(character, f"\\{character}")
    return text
