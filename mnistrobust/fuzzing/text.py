"""Findings on a terminal, and their counterexamples as a picture."""

import textwrap
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mnistrobust.errors import inert
from mnistrobust.fuzzing.chain import perturb
from mnistrobust.fuzzing.counterexamples import NO_DIGIT, Counterexample, shown, unpacked
from mnistrobust.fuzzing.findings import Findings
from mnistrobust.fuzzing.search import Search
from mnistrobust.fuzzing.targets import CHANGES, WRONG
from mnistrobust.report import console as kit
from mnistrobust.report.pictures import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 12  # weaknesses
_DRAWN = 8
_TOLD = 5  # perturbations that lead to a fault
_STEPS = 4  # images in a strip: a digit, and after at most three perturbations


def print_findings(findings: Findings) -> None:
    """Print the worst weaknesses, each with a counterexample, and the faults."""
    search, console = findings.search, Console(highlight=False)
    lines = [f": {each.says}{_image(each)}{_under(search, each)}" for each in findings.faults]
    for fault, n in search.subject.together.items():
        lines.append(f" in a batch of {n}, of no image alone: {fault}")
    for line in lines:
        console.print(Text(inert(f"fault{line}"), style="bold red"), soft_wrap=True)
    rows = []
    for each in findings.weaknesses[:_SHOWN]:
        share = f"{each.broken / each.tried:.0%}{' of these' * bool(each.digits)}"
        rows.append((each.words, share, each.counterexample.says))
    if rows:
        kit.table(("weakness", "breaks", "for example"), rows, right=("breaks",))
        most = f"up to severity {search.severity}, the largest searched"
        console.print(f"Breaks: at some dose {most}.")
    if search.skipped:
        skipped = inert(", ".join(sorted(search.skipped)))
        console.print(Text(f"Not searched further, for time: {skipped}."), soft_wrap=True)
    if search.subject.gave_up:
        console.print("The search ended early: the model ended or hung too often.", soft_wrap=True)
    kinds = {WRONG: "digits predicted confidently and rightly", CHANGES: "digits"}
    more = f" ({_SHOWN} above)" if len(rows) < len(findings.weaknesses) else ""
    line = (
        f"{inert(search.subject.model.name)} on {search.dataset.name}: weaknesses "
        f"{len(findings.weaknesses)}{more}, faults {len(findings.faults)}; "
        f"{len(search.tried)} {kinds.get(search.direction, 'outliers')}, {search.candidates:,} candidates"
    )
    console.print(Text(line, style="bold"), soft_wrap=True)


def _under(search: Search, fault: Counterexample) -> str:
    """Say which perturbations lead to the same kind of fault alone, for how many digits."""
    digits = [*search.under(fault.fault).items()] if fault.chain else []
    told = ", ".join(f"{n} under {words}" for words, n in digits[:_TOLD])
    more = f", fewer under {len(digits) - _TOLD} more" if len(digits) > _TOLD else ""
    return f"; digits that meet it: {told}{more}" * (len(digits) > 1)


def _image(fault: Counterexample) -> str:
    grey = f"an image of {fault.image.max() / 255:.0%} ink everywhere"
    noise = fault.image.min() < fault.image.max()
    inked = int((fault.image > 0).sum())
    one = {0: "an image without ink", 1: "one pixel of ink"}
    plain = one.get(inked, "an outlier" if noise else grey)
    return f", for {plain if fault.label is None else f'a {fault.label} (image {fault.index})'}"


def picture(findings: Findings) -> "Figure":
    """Draw a strip for each of the worst weaknesses: a digit before and after each perturbation."""
    from matplotlib.figure import Figure

    drawn = findings.weaknesses[:_DRAWN]
    figure = Figure((7.5, 1.45 * max(1, len(drawn))), dpi=110, layout="constrained")
    grid: Any = figure.subplots(max(1, len(drawn)), _STEPS + 1, squeeze=False)
    for row, each in zip(grid, drawn, strict=False):
        _draw(row[1:], each.counterexample)
        row[0].text(1, 0.5, textwrap.fill(each.words, 24), ha="right", va="center", fontsize=9)
    shares = f"{len(drawn)} of {len(findings.weaknesses)}"
    figure.suptitle(f"{shares} weaknesses, the worst first", fontsize=9)
    for ax in grid.flat:
        ax.set_axis_off()
    return figure


def _draw(row: Any, example: Counterexample) -> None:
    from mnistrobust import plots

    image = unpacked(example.case["image"])
    for k, (top, confidence) in enumerate(example.steps):
        after = perturb(image, example.chain[:k], example.draw)
        name, _, dose = example.chain[k - 1].rpartition(":") if k else ("", "", "")
        before = "outlier" if example.label is None else f"label {example.label}"
        done = f"{name} {float(dose):.3g}" if k else before
        plots.image(after, ax=row[k])
        wrong = top != example.expected if example.expected != NO_DIGIT else k == len(example.chain)
        row[k].set_title(f"{done}\nread as {shown(top)}, {percent(confidence)}", fontsize=8,
                         color="#B22222" if wrong else "black")  # fmt: skip
