"""The figures for people: a table on the terminal, and the README's section."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistrobust.bench.contestants import RIVALS
from mnistrobust.bench.measuring import ARCHITECTURES, WORLD

Results = Mapping[str, Any]

_NAMES = {"ann": "ANN", "rnn": "LSTM", "cnn": "CNN", WORLD: "one world"}
_TITLES = {"keras": "plain Keras", "torch": "PyTorch", "jax": "JAX"}


def print_results(results: Results) -> None:
    """Print tables of what was measured, and a few lines on how."""
    console = Console(highlight=False)
    for title, rows in (
        (
            ("network", "trained by", "s per epoch", "we are faster by", "start + compile, s"),
            _races,
        ),
        (("whole run", "by", "seconds", "we are faster by"), _runs),
    ):
        found = list(rows(results))
        if not found:
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, name in enumerate(title):
            table.add_column(name, justify="left" if number < 2 else "right")
        for row in found:
            table.add_row(*map(Text, row))
        console.print(table)
    for line in how(results):
        console.print(Text(line))


def markdown(results: Results) -> str:
    """Return the README's section on speed: the tables, and how they came about."""
    shown = [name for name in (*ARCHITECTURES, WORLD) if name in results]
    rivals = [name for name in RIVALS if any(f"ratio_to_{name}" in results[key] for key in shown)]
    lines = []
    if shown:
        rate = any("gflops" in results[key] for key in shown)
        lines.append(_row("", "mnistrobust", *(f"against {_TITLES[name]}" for name in rivals),
                          *(["GFLOP/s"] if rate else [])))  # fmt: skip
        lines.append("|---" * (2 + len(rivals) + rate) + "|")
        for key in shown:
            figures = results[key]
            ours = _seconds(figures, "")
            cells = [_against(figures, name) for name in rivals]
            if rate:
                cells.append(_rate(figures))
            lines.append(_row(_label(key, figures), ours, *cells))
        lines.append("")
    if document := results.get("document"):
        lines += [
            _row(
                "the document, top to bottom",
                "seconds",
                f"verify: {document['verify_seconds']:.0f} s",
            ),
            "|---|---|---|",
            _row("as it was run", f"{document['seconds']:,.0f}", f"**{document['ratio']:.1f} ×**"),
            _row(
                "without trainings that it repeats",
                f"{document['seconds_without_repeats']:,.0f}",
                f"**{document['ratio_without_repeats']:.1f} ×**",
            ),
            "",
        ]
    return "\n".join([*lines, *how(results)]) + "\n"


def how(results: Results) -> list[str]:
    """Return the lines that say how the figures were measured."""
    lines = []
    shown = [name for name in ARCHITECTURES if name in results]
    if shown:
        repeats = results["repeats"]
        taken = "one repeat" if repeats == 1 else f"the median of {repeats} interleaved repeats"
        images = ", ".join(f"{results[name]['images_per_epoch']:,}" for name in shown)
        lines.append(
            f"Seconds for an epoch of 60,000 images with all cores busy, {taken}, with the range "
            f"of the ratios; measured on epochs of {images} clean images ({results['data']}) and "
            f"scaled. Batches of 32, Adam, dropout, shuffled, float32; compilation excluded. "
            f"Plain Keras is `model.fit` in one process with its default threads; the others run "
            f"one single-threaded process on each core."
        )
        lines.append(
            f"GFLOP/s count every multiplication, also those by 0, which our ANN leaves out; the "
            f"machine's matrix products reach {results['peak_gflops']:.0f}."
        )
        noisy = ", ".join(f"{_noisy(results[name])} ({_NAMES[name]})" for name in shown)
        lines.append(f"On offset noise, where no pixel is 0, we need {noisy}.")
    if world := results.get(WORLD):
        lines.append(
            f"One world on {world['data']}: {world['models']} networks from an empty store and "
            f"{world['readings']} readings in {world['processes']} processes, against the same "
            f"trainings with `fit`, one after the other, and `evaluate`; "
            f"repeats: {world['repeats']}."
        )
    if document := results.get("document"):
        lines.append(
            f"The document on {document['data']}: its cells in plain Keras and pandas, against "
            f"`mnistrobust verify` from an empty store; one run of each."
        )
    versions = ", ".join(f"{name} {each}" for name, each in results["versions"].items())
    return [*lines, f"{results['machine']}; {versions}.", f"Made by `{results['command']}`."]


def _races(results: Results) -> Iterator[tuple[str, ...]]:
    for key in ARCHITECTURES:
        figures = results.get(key, {"contestants": {}})
        for name, each in figures["contestants"].items():
            first = name == "ours"
            values = sorted(each["seconds_per_epoch"])
            seconds = f"{values[len(values) // 2]:.2f} ({values[0]:.2f}–{values[-1]:.2f})"
            faster = _ratio(figures, name)
            if first:
                faster = f"{figures['gflops']:.0f} GFLOP/s, {figures['share_of_peak']:.0%} of peak"
            start = f"{each['start_seconds']:.0f} + {each['compile_seconds']:.0f}"
            yield _NAMES[key] if first else "", each["title"], seconds, faster, start


def _runs(results: Results) -> Iterator[tuple[str, ...]]:
    if world := results.get(WORLD):
        yield "one world", "mnistrobust", f"{world['seconds']:.1f}", ""
        yield "", "plain Keras", f"{world['keras_seconds']:.1f}", _ratio(world, "keras")
    if found := results.get("document"):
        without = found["seconds_without_repeats"]
        yield "the document", "mnistrobust verify", f"{found['verify_seconds']:.1f}", ""
        yield "", "as it was run", f"{found['seconds']:.1f}", f"{found['ratio']:.1f} ×"
        ratio = f"{found['ratio_without_repeats']:.1f} ×"
        yield "", "without repeated trainings", f"{without:.1f}", ratio


def _ratio(figures: Mapping[str, Any], name: str) -> str:
    if f"ratio_to_{name}" not in figures:
        return ""
    low, high = figures[f"ratio_to_{name}_spread"]
    ratio = f"{figures[f'ratio_to_{name}']:.1f} ×"
    return ratio if low == high else f"{ratio} ({low:.1f}–{high:.1f})"


def _against(figures: Mapping[str, Any], name: str) -> str:
    if f"ratio_to_{name}" not in figures:
        return "–"
    ratio, times, spread = _ratio(figures, name).partition("×")
    return f"**{ratio}{times}**{spread}, {_seconds(figures, f'{name}_')}"


def _seconds(figures: Mapping[str, Any], prefix: str) -> str:
    value = figures.get(f"{prefix}seconds_per_epoch", figures.get(f"{prefix}seconds"))
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def _noisy(figures: Mapping[str, Any]) -> str:
    return _seconds(figures, "offset_noise_")


def _rate(figures: Mapping[str, Any]) -> str:
    if "gflops" not in figures:
        return "–"
    return f"{figures['gflops']:.0f}, {figures['share_of_peak']:.0%} of peak"


def _label(key: str, figures: Mapping[str, Any]) -> str:
    return _NAMES[key] if key != WORLD else f"{_NAMES[key]}, {figures['data']}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
