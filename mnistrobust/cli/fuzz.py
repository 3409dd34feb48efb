"""The command that looks for the smallest changes that break a model."""

import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.cli import options
from mnistrobust.cli.commands import decided, earlier, print_result, reading, write_file
from mnistrobust.errors import UsageError

DIRECTIONS = ("wrong", "changes", "outlier")
_TESTS = "test_counterexamples.py"
_SEARCH = 0.85  # of the time; the rest is for shrinking


def fuzz(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model as for `check`, but no predictions.")
    ],
    seconds: Annotated[
        float,
        typer.Option(min=1, callback=options.finite, metavar="N", help="Time for the search."),
    ] = 60,
    seed: Annotated[
        int, typer.Option(min=0, metavar="S", help="Seed of digits, draws and chains.")
    ] = 0,
    candidates: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Search this many instead: the same in every run with a seed."
        ),
    ] = None,
    direction: Annotated[
        str,
        typer.Option(
            metavar="|".join(DIRECTIONS),
            help="wrong: confident right predictions that become wrong. changes: any prediction that "
            "becomes another. outlier: noise that becomes a confident digit.",
        ),
    ] = DIRECTIONS[0],
    max_severity: Annotated[
        int,
        typer.Option(
            min=1,
            max=5,
            metavar="1..5",
            help="Largest dose of each perturbation: its first to fifth marked one. People read nearly "
            "all digits at the third.",
        ),
    ] = 5,
    input_shape: options.InputShape = None,
    pixels: options.Pixels = None,
    logits: options.Logits = None,
    arch: options.Arch = None,
    trust: options.Trust = False,
    data: options.Data = None,
    offline: options.Offline = False,
    report: options.ReportDir = Path("report"),
    as_json: options.Json = False,
) -> None:
    """Find the smallest changes of digits that break a model.

    They are kept as tests. Exit code 1: a weakness or a fault was found. Ctrl-C ends the search, not
    the report.
    """
    from mnistrobust.data import load
    from mnistrobust.fuzzing import text
    from mnistrobust.fuzzing.counterexamples import test_file
    from mnistrobust.fuzzing.findings import findings_of
    from mnistrobust.fuzzing.outcomes import Subject
    from mnistrobust.fuzzing.search import Search
    from mnistrobust.report import console, pictures
    from mnistrobust.suite import check_target

    if direction not in DIRECTIONS:
        raise UsageError(f"--direction {direction}: expected one of {', '.join(DIRECTIONS)}.")
    check_target(report)
    dataset = load(decided(data, offline, model=True))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the other core makes the next images
    given = {"arch": arch, "trust": trust, **reading(input_shape, pixels, logits)}
    how = {name: value for name, value in given.items() if value}
    with console.progress() as tell:
        tell(f"opening {model}", 0.0)
        subject = Subject(model, dataset, **how)
        search = Search(subject, dataset, seed=seed, direction=direction, severity=max_severity)
        start, live = time.monotonic(), sys.stderr.isatty()

        def enough() -> bool:
            taken = (time.monotonic() - start) / (_SEARCH * seconds)
            done = search.candidates / candidates if candidates else taken
            if live:
                tell(f"{search.candidates:,} candidates", done)
            return done >= 1

        tell("searching", 0.0)
        with suppress(KeyboardInterrupt):  # what was found until then is told
            search.run(enough)
        tell("shrinking", 1.0)
        findings = findings_of(search)
    here, target = Path.cwd(), report.absolute()
    same = here.drive == target.drive  # on Windows there is no relative path to another
    how = {**subject.how, "folder": os.path.relpath(here, target) if same else str(here)}
    tests = test_file(model, how, findings.tests) if findings.tests else ""
    facts = {
        **findings.to_json(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "tests": hashlib.sha256(tests.encode()).hexdigest(),
    }
    replaced = earlier(report / "fuzz.json")
    if kept := _cleared(report):
        console.note(f"Kept: {kept}, which was edited, and is now named so.")
    write_file("--report", report / "fuzz.json", json.dumps(facts) + "\n")
    if tests:
        write_file("--report", report / _TESTS, tests)
    pictures.save(text.picture(findings), "--report", report / "fuzz.png")
    print_result(facts, as_json, lambda: text.print_findings(findings))
    also = f" and {_TESTS}" * bool(tests)
    console.note(f"Report: {report / 'fuzz.png'}, fuzz.json{also}{replaced}")
    raise typer.Exit(1 if findings.weaknesses or findings.faults else 0)


def _cleared(report: Path) -> Path | None:
    """Remove an earlier file of tests; one that was edited gets a free name, which is returned."""
    file, written = report / _TESTS, ""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        written = json.loads((report / "fuzz.json").read_text("utf-8"))["tests"]
    try:
        if not file.exists():
            return None
        if hashlib.sha256(file.read_bytes()).hexdigest() == written:
            file.unlink()
            return None
        names = (file.with_stem(f"{file.stem}_{n}") for n in count(2))
        return file.rename(next(name for name in names if not name.exists()))
    except OSError as error:
        raise UsageError(f"--report {file}: {error.strerror}; name another.") from error
