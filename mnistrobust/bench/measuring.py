"""Races and the figures that come out of them: seconds, ratios, rates."""

import platform
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import psutil

from mnistrobust import data
from mnistrobust.bench import contestants, peak
from mnistrobust.bench.arithmetic import FULL_EPOCH, flop
from mnistrobust.bench.contestants import Contestant, Note
from mnistrobust.bench.race import race, teams
from mnistrobust.making import processor

ARCHITECTURES = ("ann", "rnn", "cnn")
WORLD = "world"


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure: each turn trains for about `seconds`, on so many images an epoch.

    The images are fewer where a network is slow; a multiple of the batch size.
    """

    repeats: int
    seconds: float
    images: dict[str, int]

    @classmethod
    def full(cls, repeats: int) -> "Effort":
        """Take turns of two seconds or more."""
        return cls(repeats=repeats, seconds=2.0, images={"ann": 60_000, "rnn": 12_800, "cnn": 4000})

    @classmethod
    def quick(cls, repeats: int) -> "Effort":
        """Take turns that show that everything runs; their figures are rough."""
        return cls(repeats=repeats, seconds=0.2, images={"ann": 3200, "rnn": 640, "cnn": 160})


def measure_peak(effort: Effort, note: Note) -> float:
    """Return the machine's rate of float32 matrix products with all cores busy, in GFLOP/s."""
    cores = joblib.cpu_count()
    with teams([contestants.PEAK], {}, cores, note) as ready:
        epochs = ready[0].epochs_for(effort.seconds)
        found = [each["peak"] for each in race(ready, [epochs], effort.repeats, note)]
    work = peak.FLOP * epochs * cores / 1e9
    rates: list[float] = [work / each["seconds"] for each in found]
    return max(rates)


def measure_architecture(
    name: str,
    rivals: Sequence[Contestant],
    dataset: data.Dataset,
    effort: Effort,
    peak_gflops: float,
    note: Note,
) -> dict[str, Any]:
    """Return the figures of one architecture: what `bench --json` has under its name.

    Seconds are the time that the whole machine takes for an epoch of 60,000 images, all cores
    busy; a ratio above 1 says that we are faster.
    """
    cores, count = joblib.cpu_count(), effort.images[name]
    field = [contestants.OURS, *rivals, contestants.OURS_NOISY]
    with tempfile.TemporaryDirectory(prefix="mnistrobust-bench-") as folder:
        job = {"architecture": name, **_saved(dataset, count, Path(folder))}
        with teams(field, job, cores, note) as ready:
            epochs = [team.epochs_for(effort.seconds) for team in ready]
            found = list(race(ready, epochs, effort.repeats, note))
            starts = {team.contestant.name: team.start for team in ready}
            trained = {
                team.contestant.name: each * team.size * count / FULL_EPOCH
                for team, each in zip(ready, epochs, strict=True)
            }
    seconds = {
        each.name: [turn[each.name]["seconds"] / trained[each.name] for turn in found]
        for each in field
    }
    ours = statistics.median(seconds["ours"])
    rate = flop(name) * FULL_EPOCH / ours / 1e9
    figures: dict[str, Any] = compare(seconds, "_seconds_per_epoch")
    figures |= {
        "gflops": rate,
        "share_of_peak": rate / peak_gflops,
        "mflop_per_image": flop(name) / 1e6,
        "images_per_epoch": count,
    }
    figures["contestants"] = {
        each.name: {
            "title": each.title,
            "processes": 1 if each.whole_machine else cores,
            "cores_used": statistics.median(turn[each.name]["cores_used"] for turn in found),
            "epochs_per_turn": epochs[number],
            "start_seconds": max(start["start_seconds"] for start in starts[each.name]),
            "compile_seconds": max(start["compile_seconds"] for start in starts[each.name]),
            "seconds_per_epoch": seconds[each.name],
        }
        for number, each in enumerate(field)
    }
    return figures


def measure_world(source: data.Source, repeats: int, note: Note) -> dict[str, Any]:
    """Return the figures of one whole world, from an empty store, against plain Keras."""
    field = [contestants.WORLD_OURS, contestants.WORLD_KERAS]
    job = {"source": source.to_json(), "warm_up": False}
    with teams(field, job, joblib.cpu_count(), note) as ready:
        found = list(race(ready, [1] * len(field), repeats, note))
    seconds = {each.name: [turn[each.name]["seconds"] for turn in found] for each in field}
    facts = {name: found[0]["ours"][name] for name in ("models", "readings", "processes")}
    return {**compare(seconds, "_seconds"), **facts, "data": source.name, "repeats": repeats}


def compare(seconds: dict[str, list[float]], suffix: str) -> dict[str, Any]:
    """Return medians, and the rivals' ratios to us with their smallest and largest.

    Ratios are taken within a repeat, so that what slows the machine down slows both.
    """
    figures: dict[str, Any] = {}
    for name, values in seconds.items():
        # ours have no prefix; `ours-noisy` is named by what is different
        label = {"ours": "", "ours-noisy": "offset_noise"}.get(name, name)
        figures[f"{label}{suffix}".lstrip("_")] = statistics.median(values)
        if name.startswith("ours"):
            continue
        pairs = list(zip(values, seconds["ours"], strict=True))
        ratios = [theirs / ours for theirs, ours in pairs]
        figures[f"ratio_to_{name}"] = statistics.median(ratios)
        figures[f"ratio_to_{name}_spread"] = [min(ratios), max(ratios)]
    return figures


def versions(rivals: Sequence[Contestant]) -> dict[str, str]:
    """Return the versions of what was measured."""
    names = {"mnistrobust", "numpy", "numba", "tensorflow", "keras"}
    names |= {each.needs for each in rivals}
    return {"python": platform.python_version()} | {name: version(name) for name in sorted(names)}


def machine() -> str:
    """Describe the machine in a line: processor, cores, memory, system."""
    cores, memory = joblib.cpu_count(), psutil.virtual_memory().total / 2**30
    return f"{processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"


def _saved(dataset: data.Dataset, count: int, folder: Path) -> dict[str, str]:
    """Write `count` training images, repeated where there are fewer, for the contestants."""
    rows = np.arange(count) % len(dataset.train_labels)
    images, labels = folder / "images.npy", folder / "labels.npy"
    np.save(images, dataset.train_images[rows])
    np.save(labels, dataset.train_labels[rows])
    return {"images": str(images), "labels": str(labels)}
