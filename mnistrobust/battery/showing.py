"""The battery's report on a terminal and as Markdown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistrobust.battery import metrics, outlier_specs
from mnistrobust.battery.exam import Tell
from mnistrobust.battery.inputs import FAMILIES
from mnistrobust.battery.running import SPECS, Report
from mnistrobust.battery.spec import (
    EXPECTED,
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    UNEXPECTED,
    Outcome,
    Spec,
)
from mnistrobust.errors import inert
from mnistrobust.rendering import note

_COLOURS = {
    PASSED: "green",
    FAILED: "bold red",
    UNEXPECTED: "bold red",
    EXPECTED: "yellow",
    NOT_APPLICABLE: "dim",
}
_DETECTION = ("auroc", "aupr_in", "aupr_out", "fpr95_digits_positive", "fpr95_others_positive")


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on standard error what is being done; yields what to tell it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: note(text) if text.startswith("predicting") else None
        return
    with console.status("starting") as status:
        yield lambda text: status.update(Text(text))


def print_report(report: Report) -> None:
    """Print a row for each spec, the scores' AUROC, and what failed with its bound."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("spec", "outcome", "figures"):
        table.add_column(name, overflow="fold", no_wrap=name == "spec")
    group = None
    for each in report.outcomes:
        if each.spec.group != group:
            group = each.spec.group
            table.add_row(Text(group, style="bold"), "", "")
        outcome = Text(each.status, style=_COLOURS.get(each.status, ""))
        table.add_row(Text(each.spec.name), outcome, Text(inert(said(each))))
    console.print(table)
    for each in report.outcomes:
        if not each.good:
            bound = each.spec.bound or "–"
            line = f"{each.spec.name}: {each.spec.statement} Expected {bound}; {each.reason}."
            console.print(Text(inert(line)), soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in report.counts().items())
    line = f"{inert(report.subject.name)} on {report.source.name}: {counts}"
    console.print(Text(line, style="bold"), soft_wrap=True)


def print_specs(specs: Sequence[Spec]) -> None:
    """Print each spec with its kind, what it states and its bound."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1)
    for name in ("spec", "kind", "states"):
        table.add_column(name, no_wrap=name == "spec")
    for each in specs:
        bound = f"{each.bound}." if each.bound else "Reported."
        states = Text(f"{each.statement} {bound[0].upper()}{bound[1:]}")
        table.add_row(Text(each.name), Text(each.kind), states)
    console.print(table)


def said(outcome: Outcome) -> str:
    """Return the figures that matter in a line, or the reason where there is no better."""
    if outcome.status in {NOT_APPLICABLE, FAILED, EXPECTED, UNEXPECTED}:
        return outcome.reason or ""
    figures = outcome.figures
    if outcome.spec.group == outlier_specs.GROUP:
        return "AUROC " + ", ".join(f"{name} {each['auroc']:.3f}" for name, each in figures.items())
    if "interval" in figures:
        low, high = figures["interval"]
        than = figures.get("answers_alone")
        rest = f"; the answers alone {than:.4f}" if than is not None else ""
        return f"{figures['value']:.4f} [{low:.4f}, {high:.4f}]{rest}"
    if "recall" in figures:
        return f"lowest recall {min(figures['recall'].values()):.4f}"
    return ", ".join(f"{name.replace('_', ' ')} {_short(each)}" for name, each in figures.items())


def markdown(report: Report, command: str) -> str:
    """Return the whole report as Markdown."""
    return "\n".join(_lines(report, command)) + "\n"


def _lines(report: Report, command: str) -> Iterator[str]:
    subject = report.subject
    yield f"# {_cell(subject.name)}\n"
    shape = f", images of shape {subject.input_shape}" if subject.input_shape else ""
    yield (
        f"{subject.classes} classes, {subject.outputs}{shape}. Judged on {report.images:,} "
        f"held-out digits of {report.source.name} (sha256 {report.source.digest[:12]}). "
        f"Made by `{_cell(command)}`.\n"
    )
    if report.source.notice:
        yield f"{_cell(report.source.notice)}\n"
    yield ", ".join(f"{count} {status}" for status, count in report.counts().items()) + ".\n"
    for group in dict.fromkeys(each.spec.group for each in report.outcomes):
        yield f"## {group[0].upper()}{group[1:]}\n"
        yield "| spec | kind | states | bound, and why there | outcome | figures |"
        yield "|---|---|---|---|---|---|"
        of_group = [each for each in report.outcomes if each.spec.group == group]
        for each in of_group:
            spec = each.spec
            cells = (
                *(f"`{spec.name}`", spec.kind, spec.statement),
                f"{spec.bound or 'none'}: {spec.why}",
                *(each.status, said(each)),
            )
            yield f"| {' | '.join(map(_cell, cells))} |"
        yield ""
        if group == outlier_specs.GROUP:
            yield from _detection_table(of_group)
        for each in of_group:
            if "reliability" in each.figures:
                yield from _reliability_table(each)
    yield "## Inputs\n"
    for name, family in FAMILIES.items():
        yield f"- `{name}`: {family.summary}"


def _detection_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "Chance is 0.5 for AUROC and AUPR, 0.95 for FPR95. Conventions: `mnistrobust.battery.metrics`.\n"
    yield f"| family | score | {' | '.join(name.replace('_', ' ') for name in _DETECTION)} |"
    yield f"|---|---|{'---|' * len(_DETECTION)}"
    for each in outcomes:
        family = each.spec.name.removeprefix("less_sure_of_")
        for score, found in each.figures.items():
            cells = (f"{found[name]:.4f}" for name in _DETECTION)
            yield f"| {family} | {score} | {' | '.join(cells)} |"
    yield ""


def _reliability_table(outcome: Outcome) -> Iterator[str]:
    yield f"Reliability, `{outcome.spec.name}` ({metrics.BINS} bins at most, empty ones left out):\n"
    yield "| confidence from | to | images | mean confidence | accuracy |"
    yield "|---|---|---|---|---|"
    for row in outcome.figures["reliability"]:
        names = ("low", "high", "count", "confidence", "accuracy")
        yield f"| {' | '.join(_short(row[name]) for name in names)} |"
    yield ""


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if not value or abs(value) >= 1e-3 else f"{value:.1e}"
    return inert(value)


def _cell(text: str) -> str:
    escaped = inert(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;")


def listed() -> list[dict[str, Any]]:
    """Return every spec as JSON values."""
    names = ("name", "group", "kind", "statement", "bound", "why")
    return [{name: getattr(each, name) for name in names} for each in SPECS.values()]
