"""A sweep on a terminal and as CSV."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from mnistrobust.checks.bounds import REFERENCE
from mnistrobust.errors import inert
from mnistrobust.report.console import table
from mnistrobust.sweeps.curves import Curve, by_severity, relative_error
from mnistrobust.sweeps.sweep import Sweep

_FEW = 3  # perturbations whose curves are printed
_COLUMNS = ("model", "seed", "perturbation", "unit", "dose", "accuracy", "confidence", "nll")
_WIDE = 2  # models whose intervals fit into 80 columns


def print_sweep(sweep: Sweep) -> None:
    """Print the curves of up to three perturbations, a row for each of several; then severities."""
    console = Console(highlight=False)
    for name in sweep.curves:
        seeds = f", {len(sweep.seeds[name])} seeds" if len(sweep.seeds[name]) > 1 else ""
        failed = sum(int(curve.failed.sum()) for curve in sweep.curves[name].values())
        bad = f", NaN or infinity for {failed:,} images, which count as wrong" if failed else ""
        if seeds or bad:
            console.print(Text(inert(f"{name}{seeds}{bad}")), soft_wrap=True)
    for ladder in sweep.ladders if len(sweep.ladders) <= _FEW else ():
        for name, curves in sweep.curves.items():
            _print_curve(name, curves[ladder.name], console)
    if len(sweep.ladders) > 1:
        _print_half_doses(sweep, console)
    _print_severities(sweep)
    for line in _notes(sweep):
        console.print(Text(line, style="dim"))


def _print_curve(name: str, curve: Curve, console: Console) -> None:
    unit = f"dose ({curve.ladder.perturbation.unit})"
    columns = (unit, "accuracy", "95% interval", "confidence", "nll")
    means = (curve.accuracy, *curve.interval, curve.confidence.mean(axis=0), curve.nll.mean(axis=0))
    rows = [
        (f"{dose:.3g}", f"{accuracy:.4f}", f"{low:.3f}–{high:.3f}", f"{mean:.4f}", f"{nll:.3f}")
        for dose, accuracy, low, high, mean, nll in zip(curve.ladder.doses, *means, strict=True)
    ]
    told = f"{name}, {curve.ladder.name}: half of its accuracy at {_half(curve)}"
    console.print(Text(inert(told), style="bold"), soft_wrap=True)
    table(columns, rows, right=columns[1:])


def _print_half_doses(sweep: Sweep, console: Console) -> None:
    """Print a row for each perturbation with a half-dose, and a line for all the others."""
    halves, kept, wide = [], [], len(sweep.curves) <= _WIDE
    for ladder in sweep.ladders:
        swept = [curves[ladder.name] for curves in sweep.curves.values()]
        if any(curve.half_dose is not None for curve in swept):
            halves.append((ladder.name, *(_half(curve, wide=wide) for curve in swept)))
        else:
            kept.append(f"{ladder.name} {min(curve.accuracy.min() for curve in swept):.2f}")
    if halves:
        table(("half-dose", *sweep.curves), halves, whole=("half-dose",))
    if kept:
        console.print(Text(f"No half-dose; lowest accuracy: {inert(', '.join(kept))}"))


def _print_severities(sweep: Sweep) -> None:
    rows = []
    for name, curves in sweep.curves.items():
        if accuracies := by_severity(curves.values()):
            relative = relative_error(curves.values(), sweep.source.name)
            told = "–" if relative is None else f"{relative:.0%}"
            rows.append((name, *(f"{accuracy:.3f}" for accuracy in accuracies), told))
    if rows:
        columns = ("at severity", *"012345", f"vs {REFERENCE}")
        table(columns, rows, right=columns[1:])


def _notes(sweep: Sweep) -> Iterator[str]:
    yield (
        "Half-dose: where accuracy falls to half of that on the same digits unperturbed, with its 95% "
        "interval; > the last dose if it does not. 'mnistrobust perturbations' lists the units."
    )
    if marked := sum(ladder.marked for ladder in sweep.ladders):
        known = len(sweep.in_reference)
        over = f", over {known} of {marked} perturbations" * (0 < known < marked)
        yield (
            f"Last column: errors at severities 1 to 5 relative to those of the document's {REFERENCE}{over}."
        )
    if any(len(seeds) > 1 for seeds in sweep.seeds.values()):
        yield "Intervals of a recipe with several seeds are over seeds and images, else over images."
    else:
        yield "Intervals are over images, for these networks alone: other seeds may differ more."


def _half(curve: Curve, *, wide: bool = True) -> str:
    last = curve.ladder.doses[-1]
    beyond = f"{'>' if last > 0 else '<'} {last:.3g}"
    half, low, high = (
        beyond if dose is None else f"{dose:.3g}"
        for dose in (curve.half_dose, *curve.half_dose_interval)
    )
    if wide and low == beyond:
        return f"{half}: still {curve.accuracy[-1]:.3f}"
    return f"{half} ({low} to {high})" if wide else half


def csv(sweep: Sweep) -> str:
    """Return a row for each network and dose, as CSV with a head; a given model has no seed."""
    import pandas as pd

    rows = []
    curves = [(name, each) for name, swept in sweep.curves.items() for each in swept.values()]
    for name, curve in curves:
        facts, figures = curve.ladder, (curve.right.mean(axis=2), curve.confidence, curve.nll)
        for seed, *values in zip(sweep.seeds[name] or ("",), *figures, strict=True):
            named = (name, seed, facts.name, facts.perturbation.unit)
            rows += [(*named, *each) for each in zip(facts.doses, *values, strict=True)]
    return str(pd.DataFrame(rows, columns=_COLUMNS).to_csv(index=False, lineterminator="\n"))
