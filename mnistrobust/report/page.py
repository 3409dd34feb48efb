"""The report as one HTML file that needs nothing else: no script, style or image from elsewhere."""

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from mnistrobust.curves import Curves
from mnistrobust.errors import inert
from mnistrobust.evidence import load
from mnistrobust.evidence.results import Results
from mnistrobust.judging.ledger import Ledger, ledger_of
from mnistrobust.judging.verdicts import FULL, rule
from mnistrobust.registry import load_claims
from mnistrobust.replicates.seeds import SUITE_SEED
from mnistrobust.report import charts, dots, pictures, svg
from mnistrobust.report.entries import entries


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What changed against a baseline: sentences, tables (columns, rows), and a file."""

    notes: Sequence[str] = ()
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]] = ()
    json: str = ""


def html(
    ledger: Ledger,
    *,
    gallery: Mapping[str, Any] | None = None,
    changes: Changed | None = None,
    curves: Curves | None = None,
    files: Sequence[str] = (),
) -> str:
    """Return a run's page, with a gallery of networks, curves over doses, and links to `files` beside it."""
    style, script = _own("page.css"), _own("page.js")
    results = ledger.run
    # only full MNIST judges the document, all claims of it, whichever ran
    document = ledger_of(evidence=load(FULL) if ledger.rehearsal else ledger.evidence)
    verdicts = [row.verdict for row in document.judged if row.verdict]
    seeds = document.evidence.replicates if document.evidence else 0
    shown = {
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "results": results,
        "command": command(results),
        "where": _where(results),
        "evidence": ledger.evidence,
        "rehearsal": ledger.rehearsal,
        "seeds": seeds,
        "rule": rule(seeds) if seeds else None,
        "picture": dots.verdicts(verdicts) if verdicts else None,
        "verdicts": Counter(row.word for row in document.judged),
        "entries": entries(ledger, document),
        "judged": len(document.judged),
        "ran": len(ledger.judged),
        "run": Counter(row.here for row in ledger.judged),
        "unexpected": len(ledger.unexpected),
        "expected": ledger.as_expected,
        "changes": changes,
        "gallery": gallery,
        "curves": curves,
        "curve_chart": charts.curve,
        "known": load_claims(),
        "files": files,
    }
    options = {"finalize": svg.minus, "trim_blocks": True, "lstrip_blocks": True}
    return pictures.rendered(__package__, "page.html", shown, **options)


def command(results: Results) -> str:
    """Return the command that makes such a run again."""
    words = ["mnistrobust", "verify", *_data(results)]
    if results.seeds and results.seeds != (SUITE_SEED,):
        words += ["--seeds", f"{min(results.seeds)}-{max(results.seeds)}"]
    for family, place in results.models.items():
        words += ["--model", f"{family}={place}"]
    return inert(shlex.join(words))


def _where(results: Results) -> str:
    words, seed = _data(results), results.seeds[0] if results.seeds else SUITE_SEED
    words += ["--seed", str(seed)] if seed != SUITE_SEED else []
    return inert("".join(f" {shlex.quote(word)}" for word in words))


def _data(results: Results) -> list[str]:
    if results.source.path is None:
        return ["--data", results.source.name]
    return ["--data", results.source.path] if results.source.why == "as asked for" else []


def _own(name: str) -> Any:
    from markupsafe import Markup

    text = files(__package__).joinpath("templates", name).read_text("utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def _policy(style: str, script: str) -> str:
    digests = [hashlib.sha256(text.encode()).digest() for text in (style, script)]
    own = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"default-src 'none'; style-src {own[0]}; script-src {own[1]}; "
        f"img-src data:; base-uri 'none'; form-action 'none'"
    )
