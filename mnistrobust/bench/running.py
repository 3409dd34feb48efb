"""One run of the benchmark: what was asked for, in one object."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnistrobust import data
from mnistrobust.bench import against_document, contestants, measuring
from mnistrobust.bench.contestants import Note
from mnistrobust.bench.measuring import ARCHITECTURES, WORLD, Effort
from mnistrobust.errors import UsageError, unknown

REPEATS = 3


def bench(
    source: data.Source,
    what: Sequence[str] = (),
    *,
    against: list[str] | None = None,
    repeats: int | None = None,
    quick: bool = False,
    command: str,
    note: Note,
) -> dict[str, Any]:
    """Measure architectures and `world`, all by default; return what `bench --json` prints.

    `repeats` is 3 by default, but a world of full MNIST, which takes minutes, is made once.
    `against` names contestants, all that are installed by default. `note` gets the progress.
    Raises UsageError for an unknown name.
    """
    chosen = _chosen(what)
    rivals = contestants.rivals(against)
    count = repeats or (1 if quick else REPEATS)
    effort = Effort.quick(count) if quick else Effort.full(count)
    results = _head(source, command, rivals)
    trained = [name for name in chosen if name != WORLD]
    if trained:
        results |= {"repeats": count, "quick": quick}
        results["peak_gflops"] = measuring.measure_peak(effort, note)
        dataset = data.load(source)
    for name in trained:
        results[name] = measuring.measure_architecture(
            name, rivals, dataset, effort, results["peak_gflops"], _prefixed(note, name)
        )
    if WORLD in chosen:
        count = repeats or (1 if source.name == "mnist" or quick else REPEATS)
        results[WORLD] = measuring.measure_world(source, count, _prefixed(note, WORLD))
    return results


def bench_document(source: data.Source, *, command: str, note: Note) -> dict[str, Any]:
    """Run the document and `verify`; return what `bench --document --json` prints."""
    results = _head(source, command, [])
    results["document"] = against_document.measure_document(source, note)
    return results


def command_line(arguments: Sequence[str]) -> str:
    """Return the command as it is printed with the figures: a path of the data is just PATH."""
    shown = ["PATH" if os.sep in each else each for each in arguments]
    return " ".join(["mnistrobust", *shown])


def from_files(files: Sequence[Path]) -> dict[str, Any]:
    """Return the results of earlier runs in one object; where they overlap, the last counts.

    Raises UsageError for a file that `bench --json` did not print.
    """
    merged: dict[str, Any] = {}
    commands = []
    for file in files:
        try:
            found = json.loads(file.read_text("utf-8"))
            commands.append(found["command"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"--from {file}: expected what 'mnistrobust bench --json' printed ({error!r})."
            ) from error
        kept = {**merged.get("versions", {}), **found["versions"]}
        merged |= {**found, "versions": kept}
    return {**merged, "command": "; ".join(commands)}


def _chosen(what: Sequence[str]) -> list[str]:
    known = [*ARCHITECTURES, WORLD]
    for name in what:
        if name not in known:
            raise unknown("benchmark", name, known)
    return [name for name in known if name in what or not what]


def _head(
    source: data.Source, command: str, rivals: Sequence[contestants.Contestant]
) -> dict[str, Any]:
    return {
        "command": command,
        "data": source.name,
        "machine": measuring.machine(),
        "versions": measuring.versions(rivals),
    }


def _prefixed(note: Note, name: str) -> Note:
    return lambda text: note(f"bench {name}: {text}")
