"""The report of the checks on a terminal and as Markdown."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mnistrobust.checks import bounds, outliers
from mnistrobust.checks.check import FAILED, REPORTED, CheckResult
from mnistrobust.checks.inputs import FAMILIES
from mnistrobust.checks.run import CHECKS, Report
from mnistrobust.errors import inert
from mnistrobust.report import console as kit
from mnistrobust.report.markdown import cell, code, table

LEAKED = (
    "mnist5k is part of MNIST's training set: accuracy on it says nothing about a model trained on MNIST. "
    "Its interface can be judged, and its differences from another model of that kind."
)
_SET = re.compile(r" \([\w-]+\)$")  # of inputs, at the end of a reason
_REASONS = {  # statuses whose reason says more than their figures
    "failed": "bold red",
    "not failed, against expectation": "bold red",
    "failed as expected": "yellow",
    "not applicable": "dim",
}
_COLOURS = _REASONS | {"passed": "green"}


def print_report(report: Report) -> None:
    """Print a row for each check, the scores' AUROC, and what failed with its bound."""
    console = Console(highlight=False)
    rows: list[Sequence[str | Text]] = []
    group = None
    for result in report.results:
        if result.check.group != group:
            group = result.check.group
            rows.append((Text(group, style="bold"), "", ""))
        status = Text(result.status, style=_COLOURS.get(result.status, ""))
        rows.append((result.check.name, status, figures_of(result, report)))
    kit.table(("check", "result", "figures"), rows, whole=("check",))
    failed, silent = [], Counter[str]()
    for result in report.results:
        if result.status == FAILED and not result.figures:  # nothing that a remedy could help
            silent[_SET.sub("", str(result.reason))] += 1
        elif not result.good and result.reason != report.session.broken:
            check = result.check
            line = f"{check.name}: {check.statement} Expected {check.bound}; {result.reason}."
            line += f" {check.remedy}" * bool(check.remedy)
            console.print(Text(inert(line)), soft_wrap=True)
            failed += [check] * bool(check.bound)
    for reason, count in silent.items():
        line = inert(f"{count} failed without predictions: {reason}.")
        console.print(Text(line), soft_wrap=True)
    if failed and not report.session.broken:
        bound = next((f", or --bound {each.name}=X" for each in failed if each.figure), "")
        line = f"What you accept: --expect-failure {failed[0].name}=REASON{bound}"
        console.print(Text(line, style="dim"), soft_wrap=True)
    name = inert(report.session.model.name)
    console.print(f"{name} {report.session.model.interface}", markup=False, soft_wrap=True)
    if report.session.broken:
        console.print(Text(f"{report.session.broken}.", style="bold red"), soft_wrap=True)
    line = f"{name} on {report.session.dataset.source.name}: {counts(report)}"
    console.print(Text(line, style="bold"), soft_wrap=True)


def print_checks() -> None:
    """Print each check with its kind, what it states and its bound."""
    rows = []
    for check in CHECKS.values():
        bound = f"{check.bound}." if check.bound else "Reported."
        rows.append((check.name, check.kind, f"{check.statement} {bound[0].upper()}{bound[1:]}"))
    kit.table(("check", "kind", "states"), rows, whole=("check",))


def checks_markdown() -> str:
    """Return a table of all checks with what they state and their bounds, as Markdown."""
    rows = [
        (code(check.name), check.statement, check.bound or "reported") for check in CHECKS.values()
    ]
    return table(("check", "states", "bound"), rows)


def summary(result: CheckResult) -> str:
    """Return the figures that matter in a line, or the reason where there is no better."""
    if result.status in _REASONS:
        return result.reason or ""
    figures = result.figures
    if result.check.group == outliers.GROUP:
        return "AUROC " + ", ".join(f"{name} {row['auroc']:.3f}" for name, row in figures.items())
    if "interval" in figures:
        low, high = figures["interval"]
        than = figures.get("labels_alone")
        rest = f"; the labels alone {than:.4f}" if than is not None else ""
        return f"{figures['value']:.4f} [{low:.4f}, {high:.4f}]{rest}"
    if "recall" in figures:
        return f"lowest recall {min(figures['recall'].values()):.4f}"
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in figures.items())


def figures_of(result: CheckResult, report: Report) -> str:
    """Return a result's summary, with the reference's figure where the check has no bound."""
    value = bounds.reference(result.check.name, report.session.dataset.source.name)
    if result.status != REPORTED or value is None:
        return summary(result)
    return f"{summary(result)}; the document's {bounds.REFERENCE} {_short(value)}"


def markdown(report: Report, command: str) -> str:
    """Return the whole report as Markdown."""
    return "\n".join(_lines(report, command)) + "\n"


def _lines(report: Report, command: str) -> Iterator[str]:
    model = report.session.model
    yield f"# {cell(model.name)}\n"
    yield (
        f"The model {model.interface}. Checked on {len(report.session.dataset.test_labels):,} "
        f"held-out digits of {report.session.dataset.source.name} (sha256 {report.session.dataset.source.digest[:12]}). "
        f"Made by {cell(command)}.\n"
    )
    if report.session.dataset.source.notice:
        yield f"{LEAKED}\n"
    if report.session.broken:
        yield f"**{report.session.broken}.**\n"
    yield f"{counts(report)}.\n"
    for group in dict.fromkeys(result.check.group for result in report.results):
        yield f"## {group[0].upper()}{group[1:]}\n"
        results = [result for result in report.results if result.check.group == group]
        columns = ("check", "kind", "states", "bound, and why there", "result", "figures")
        rows = []
        for result in results:
            check = result.check
            bound = f"{check.bound or 'none'}: {check.why}"
            found = (result.status, figures_of(result, report))
            rows.append((code(check.name), check.kind, check.statement, bound, *found))
        yield table(columns, rows)
        if group == outliers.GROUP:
            yield _detection_table(results)
    yield "## Inputs\n"
    for name, family in FAMILIES.items():
        yield f"- `{name}`: {family.summary}"


def _detection_table(results: Sequence[CheckResult]) -> str:
    names = ("auroc", "aupr_in", "aupr_out", "fpr95_digits_positive", "fpr95_others_positive")
    rows = [
        (family, score, *(_short(figures[name]) for name in names))
        for result in results
        for family in [result.check.name.removeprefix("less_confident_on_")]
        for score, figures in result.figures.items()
    ]
    columns = ("family", "score", *(name.replace("_", " ") for name in names))
    return f"Chance is 0.5 for AUROC and AUPR, 0.95 for FPR95.\n\n{table(columns, rows)}"


def counts(report: Report) -> str:
    """Return how many checks have each status, in words."""
    return ", ".join(f"{count} {status}" for status, count in report.counts().items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if not value or abs(value) >= 1e-3 else f"{value:.1e}"
    return inert(value)
