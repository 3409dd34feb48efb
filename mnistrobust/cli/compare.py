"""The command `compare`: two models on the same images."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistrobust.cli.commands import check_file, decided, print_result, with_doses, write_file
from mnistrobust.cli.options import (
    Arch,
    Backend,
    Data,
    Doses,
    Json,
    Markdown,
    Networks,
    Offline,
    Scheduler,
    StoreDir,
    Trust,
    Workers,
)
from mnistrobust.errors import UsageError, unknown

_SIDE = "a model as for `check`, a baseline's name or .npz file, or a recipe"
FAIL_ON = ("worse", "any", "never")


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"The reference: {_SIDE}.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The other: likewise.")],
    seeds: Networks = None,
    on: Doses = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=X", help="Change that is accepted: accuracy=0.002; may be repeated."
        ),
    ] = None,
    fail_on: Annotated[
        str, typer.Option(metavar="|".join(FAIL_ON), help="Verdicts that end with exit code 1.")
    ] = "worse",
    counterexamples: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="fuzz.json of OLD or NEW: say which counterexamples are repaired, remain or are new; "
            "may be repeated.",
        ),
    ] = None,
    arch: Arch = None,
    trust: Trust = False,
    backend: Backend = None,
    scheduler: Scheduler = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write a page with pictures here."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit test suite.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every row.")] = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Say whether NEW is better or worse than OLD.

    Both predict the same images.
    """
    from mnistrobust.comparison import baselines, page, replays, text
    from mnistrobust.comparison.opening import check_side, open_side
    from mnistrobust.comparison.verdict import BETTER, WORSE
    from mnistrobust.comparison.verdict import compare as compared
    from mnistrobust.data import load
    from mnistrobust.replicates.many import check_backend
    from mnistrobust.replicates.schedule import worker_count
    from mnistrobust.report import console
    from mnistrobust.store import open_store
    from mnistrobust.suite import check_target

    if fail_on not in FAIL_ON:
        raise UsageError(f"--fail-on {fail_on}: expected one of {', '.join(FAIL_ON)}.")
    check_backend(backend, scheduler, ("dask",))
    if scheduler and (not seeds or ":" in f"{old} {new}"):
        raise UsageError("--backend dask: it trains networks of recipes; it needs --seeds K.")
    accepted = _tolerances(tolerance or [])
    if counterexamples and seeds:
        raise UsageError("--counterexamples: it is for two given models; leave --seeds out.")
    cases = replays.read(counterexamples or [])
    conditions = tuple(each.name for each in with_doses(on))
    check_file("--junit", junit)
    if report:
        check_target(report)
        report = report.absolute()
    opened = open_store(store)
    for given in (old, new):
        check_side(given, opened)
        if counterexamples:
            baselines.check_predicts(given, opened, "--counterexamples")
    source = decided(data, offline, model=True)
    with console.progress() as tell:
        if cases:
            tell(f"replaying {len(cases)} counterexamples", 0.0)
        asked = _with_options(old, new, arch=arch, trust=trust)
        replayed = replays.replays(cases, asked, source, opened)
        count = workers or worker_count(2 * (seeds or 1))
        how: dict[str, Any] = {"networks": seeds, "workers": count, "scheduler": scheduler}
        before, after = (
            open_side(given, source, opened, on=conditions, tell=tell, **how, **options)
            for given, options in asked
        )
    result = replace(compared(before, after, load(source), tolerance=accepted), replays=replayed)
    fail = frozenset({"worse": {WORSE}, "any": {WORSE, BETTER}, "never": ()}[fail_on])
    if junit:
        write_file("--junit", junit, text.junit(result, fail=fail).decode())
    if report:
        write_file("--report", report / "compare.html", page.html(result))
        write_file(
            "--report", report / "compare.json", json.dumps(result.to_json(), indent=1) + "\n"
        )
        console.note(f"Report: {report / 'compare.html'}")
    shown = text.markdown(result) if markdown else None
    print_result(
        result.to_json(), as_json, lambda: text.print_comparison(result, verbose=verbose), shown
    )
    raise typer.Exit(1 if result.verdict in fail else 0)


def _with_options(old: str, new: str, **given: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return both sides, each with its options: a module beside a file takes none."""
    files = [":" not in each for each in (old, new)]
    return [
        (each, given if file or not any(files) else {})
        for each, file in zip((old, new), files, strict=True)
    ]


def _tolerances(given: list[str]) -> dict[str, float]:
    from mnistrobust.comparison.verdict import FIGURES

    accepted = {}
    for text in given:
        figure, _, value = text.partition("=")
        if value and figure not in FIGURES:
            raise unknown("figure", figure, FIGURES)
        try:
            accepted[figure] = float(value)
            if not 0 <= accepted[figure] < math.inf:
                raise ValueError
        except ValueError as error:
            raise UsageError(
                f"--tolerance {text}: expected FIGURE=X with X from 0; repeat the option for more."
            ) from error
    return accepted
