"""The report as one HTML file that needs nothing else: no script, style or image from elsewhere."""

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mnistrobust.claims import load_questions
from mnistrobust.errors import inert
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import Results
from mnistrobust.questions import candidates
from mnistrobust.report import dots
from mnistrobust.report.entries import Entry, entries, summary
from mnistrobust.seeds import SUITE_SEED
from mnistrobust.verdicts import rule

if TYPE_CHECKING:
    from mnistrobust.report.networks import Gallery

Rows = Sequence[Mapping[str, str]]  # of a table: equal columns by name
FILES = ("results.json", "ledger.md", "ledger.svg", "junit.xml")  # beside the page


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question that the document leaves open, its answer, and the table that shows it."""

    question: str
    answer: str | None
    rows: Rows


def html(
    results: Results,
    evidence: Evidence | None = None,
    *,
    gallery: "Gallery | None" = None,
    changes: Rows | None = None,
) -> str:
    """Return the page.

    `gallery` are the networks to show, if any; `changes` is a table of what changed against a
    baseline, None where there is none to compare with.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = inert
    style, script = _own("page.css"), _own("page.js")
    found = entries(results, evidence)
    told = summary(found)
    return environment.get_template("page.html").render(
        style=style,
        script=script,
        policy=_policy(style, script),
        results=results,
        command=command(results),
        where=_where(results),
        evidence=evidence,
        rule=rule(evidence.worlds) if evidence else None,
        entries=found,
        choices=_choices(found),
        summary=told,
        proportions=dots.shares(told.run if told.provisional else told.verdicts),
        questions=questions(evidence),
        notes=[next(iter(row.values())) for row in changes or () if _is_note(row)],
        changes=None if changes is None else [row for row in changes if not _is_note(row)],
        gallery=gallery,
        files=FILES,
    )


def questions(evidence: Evidence | None) -> list[Answered]:
    """Return what the document leaves open, with a row for each claim and network it may mean."""
    return [
        Answered(
            question=each.question,
            answer=each.answer,
            rows=[
                {
                    "claim": found.claim,
                    "network": found.recipe,
                    "holds in": f"{found.held}/{found.worlds}",
                    "fits": {None: "–", True: "yes", False: "no"}[found.fits],
                    "the document's figures among single looks": "; ".join(
                        f"{name} {place}" for name, place in found.places.items()
                    )
                    or "plot",
                }
                for found in candidates(each, evidence)
            ],
        )
        for each in load_questions().values()
    ]


def command(results: Results) -> str:
    """Return the command that makes such a run again."""
    words = ["mnistrobust", "verify", *_data(results)]
    if results.seeds and results.seeds != (SUITE_SEED,):
        words += ["--seeds", f"{min(results.seeds)}-{max(results.seeds)}"]
    for family, place in results.models.items():
        words += ["--model", f"{family}={place}"]
    return inert(shlex.join(words))


def _is_note(row: Mapping[str, str]) -> bool:
    """Return whether a line of what changed is a sentence, with nothing in the other columns."""
    return len(row) > 1 and not any(list(row.values())[1:])


def _where(results: Results) -> str:
    """Return the options by which other commands work on the networks that the page shows."""
    seed = results.seeds[0] if results.seeds else SUITE_SEED
    words = [*_data(results), *(["--seed", str(seed)] if seed != SUITE_SEED else [])]
    return inert("".join(f" {shlex.quote(word)}" for word in words))


def _data(results: Results) -> list[str]:
    if results.source.path is None:
        return ["--data", results.source.name]
    return ["--data", results.source.path] if results.source.why == "as asked for" else []


def _choices(found: Sequence[Entry]) -> dict[str, list[tuple[str, str]]]:
    """Return the words by which the ledger can be filtered: value and text of each."""
    kinds = {
        "word": [each.word for each in found],
        "outcome": [each.row.outcome for each in found],
    }
    return {name: [(word, word) for word in sorted(set(words))] for name, words in kinds.items()}


def _own(name: str) -> Any:
    """Return a file of this package as markup: it is ours, and stands in the page as it is."""
    from markupsafe import Markup

    text = files(__package__).joinpath("templates", name).read_text("utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def _policy(style: str, script: str) -> str:
    """Return the page's content-security policy: its own style and script, and images within."""
    rules = {
        "default-src": "'none'",
        "style-src": _hashed(style),
        "script-src": _hashed(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
