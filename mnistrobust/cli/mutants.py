"""The command that puts mistakes into the library, to see whether the suite sees them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.cli.commands import check_file, print_result, write_file
from mnistrobust.cli.options import Json, Markdown, StoreDir

if TYPE_CHECKING:
    from mnistrobust.mutants.matrix import Matrix, Trial


def mutants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="FAULT", help="Faults (default: all).")
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Show a matrix of an earlier run; run nothing."
        ),
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list", help="List the faults; run nothing.")
    ] = False,
    store: StoreDir = None,
    workers: Annotated[
        str, typer.Option(metavar="N|auto", help="Processes of each suite, as in pytest -n.")
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the kill matrix as JSON.")
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Put mistakes into the library, and see which specs fail.

    Each mistake goes into a copy of the library, and the default suite runs there on mnist5k.
    Finished trials are kept beside the store: run the same command again to continue. The exit code
    is 1 if the suite misses a fault for which no reason is given.
    """
    from mnistrobust.mutants import matrix as kill_matrix
    from mnistrobust.mutants import tables
    from mnistrobust.mutants.faults import FAULTS, fault_named

    if list_faults:
        chosen = [fault_named(name) for name in names or FAULTS]
        facts = [asdict(fault) for fault in chosen]
        return print_result(facts, as_json, lambda: tables.print_faults(chosen))
    check_file("--output", output)
    matrix = tables.known(earlier) if earlier else _run(names or [], store, workers)
    if output:
        write_file("--output", output, matrix.to_json())
    known = {"summary": matrix.summary, "trials": [vars(trial) for trial in matrix.trials]}
    text = kill_matrix.markdown(matrix) if markdown else None
    print_result(known, as_json, lambda: tables.print_matrix(matrix), text)
    raise typer.Exit(1 if any(not FAULTS[trial.fault].unseen for trial in matrix.survivors) else 0)


def _run(names: list[str], store: str | None, workers: str) -> "Matrix":
    from mnistrobust.mutants import trial
    from mnistrobust.mutants.faults import FAULTS, fault_named
    from mnistrobust.mutants.matrix import Matrix
    from mnistrobust.replicates.keys import versions
    from mnistrobust.replicates.many import machine
    from mnistrobust.report import console
    from mnistrobust.store import open_store
    from mnistrobust.suite import find_clone

    chosen = [fault_named(name) for name in names or FAULTS]
    clone = find_clone("mutants")
    folder = trial.trials_folder(open_store(store).root.absolute().parent / "mutants", clone)
    console.note(f"trials: {folder}")

    def tried(trial: "Trial") -> None:
        outcome = f"failing specs: {len(trial.failed)}"
        console.note(f"{trial.fault}: {trial.mistake}: {outcome} ({trial.seconds:.0f} s)")

    trials = trial.trials(chosen, clone, folder, workers, tried)
    command = " ".join(["mnistrobust mutants", *names])
    head = {"command": command, "machine": machine(), "versions": versions()}
    return Matrix(head=head, trials=tuple(trials))
