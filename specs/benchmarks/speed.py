"""The block on speed of the engine's README, made from what race.py and replay.py printed with --json.

A new measurement: `speed.py replay.json race.json --json > .github/speed.json`.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NETWORKS = {"ann": "ANN", "rnn": "LSTM", "cnn": "CNN"}
RIVALS = {"keras": "plain Keras", "torch": "PyTorch", "jax": "JAX"}


def merged(files):
    """Return the results of several runs in one object; where they overlap, the last counts."""
    results, commands = {}, []
    for file in files:
        found = json.loads(file.read_text("utf-8"))
        commands.append(found["command"])
        versions = results.get("versions", {}) | found["versions"]
        results |= found | {"versions": versions}
    return results | {"command": "; ".join(commands)}


def markdown(results):
    """Return the block: tables, and how the figures were measured."""
    lines = []
    if shown := [network for network in NETWORKS if network in results]:
        rivals = [name for name in RIVALS if f"ratio_to_{name}" in results[shown[0]]]
        against = [f"against {RIVALS[name]}" for name in rivals]
        lines += [_row("", "mnistrobust", *against, "GFLOP/s"), "|---" * (3 + len(rivals)) + "|"]
        for network in shown:
            figures = results[network]
            cells = [_ratio(figures, name) for name in rivals]
            ours = _seconds(figures["seconds_per_epoch"])
            rate = f"{figures['gflops']:.0f}, {figures['share_of_peak']:.0%} of peak"
            lines.append(_row(NETWORKS[network], ours, *cells, rate))
        lines.append("")
    if document := results.get("document"):
        verify = f"verify: {document['verify_seconds']:.0f} s"
        lines += [_row("the document, top to bottom", "seconds", verify), "|---|---|---|"]
        for name, suffix in (
            ("as it was run", ""),
            ("without trainings that it repeats", "_without_repeats"),
        ):
            ratio = f"**{document[f'ratio{suffix}']:.1f} ×**"
            lines.append(_row(name, f"{document[f'seconds{suffix}']:,.0f}", ratio))
        lines.append("")
    if prediction := results.get("prediction"):
        lines += [*_prediction(prediction), ""]
    return "\n".join([*lines, *_how(results)]) + "\n"


def _prediction(prediction):
    """Yield the table of predictions, and the time of a sweep."""
    yield _row(f"predicting {prediction['images']:,} images", "mnistrobust", "`model.predict`")
    yield "|---|---|---|"
    for network, title in NETWORKS.items():
        figures = prediction[network]
        yield _row(title, f"{figures['seconds']:.3f} s", _ratio(figures, "keras", ""))
    sweep = prediction["sweep"]
    yield ""
    yield (
        f"{sweep['recipes']} recipes under {sweep['conditions']} perturbations at a dose, "
        f"{sweep['predictions']:,} predictions: {_seconds(sweep['seconds'])}."
    )


def _how(results):
    """Yield the lines that say how the figures were measured."""
    if results["quick"]:
        yield "A quick run shows that everything runs; its figures are rough."
    if shown := [network for network in NETWORKS if network in results]:
        repeats = results["repeats"]
        taken = "one repeat" if repeats == 1 else f"the median of {repeats} interleaved repeats"
        images = ", ".join(f"{results[network]['images_per_epoch']:,}" for network in shown)
        yield (
            f"Seconds for an epoch of 60,000 images with all cores busy, {taken}, with the range "
            f"of the ratios; measured on epochs of {images} clean images ({results['data']}) and "
            f"scaled. Batches of 32, Adam, dropout, shuffled, float32; compilation excluded. "
            f"Plain Keras is `model.fit` in one process with its default threads; the others run "
            f"one single-threaded process on each core."
        )
        yield (
            f"GFLOP/s count every multiplication, also those by 0, which our ANN skips; the "
            f"machine's matrix products reach {results['peak_gflops']:.0f}."
        )
        noisy = ", ".join(
            f"{_seconds(results[network]['offset_noise_seconds_per_epoch'])} ({NETWORKS[network]})"
            for network in shown
        )
        yield f"On offset noise, where no pixel is 0, our epochs take {noisy}."
    if document := results.get("document"):
        yield (
            f"The document on {document['data']}: its cells in plain Keras and pandas, against "
            f"`mnistrobust verify` from an empty store; one run each."
        )
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    yield f"{results['machine']}; {versions}."
    yield f"Made by `{results['command']}`."


def _ratio(figures, name, unit="_per_epoch"):
    low, high = figures[f"ratio_to_{name}_spread"]
    spread = "" if low == high else f" ({low:.1f}–{high:.1f})"
    seconds = _seconds(figures[f"{name}_seconds{unit}"])
    return f"**{figures[f'ratio_to_{name}']:.1f} ×**{spread}, {seconds}"


def _seconds(value):
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def _row(*cells):
    return "| " + " | ".join(cells) + " |"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="*", type=Path, default=[ROOT / ".github" / "speed.json"])
    options.add_argument("--json", action="store_true", help="print the merged results")
    arguments = options.parse_args()
    try:
        results = merged(arguments.files)
        text = json.dumps(results, indent=1) + "\n" if arguments.json else markdown(results)
    except (OSError, ValueError, LookupError, TypeError) as error:
        options.error(f"expected files of what race.py and replay.py print with --json ({error!r})")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
