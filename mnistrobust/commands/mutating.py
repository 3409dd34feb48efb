"""The command that puts mistakes into the library, to see whether the suite sees them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.commands import print_json
from mnistrobust.errors import UsageError
from mnistrobust.options import Json, Markdown, StoreDir

if TYPE_CHECKING:
    from mnistrobust.mutants.matrix import Matrix, Trial


def mutants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="FAULT", help="Faults (default: all).")
    ] = None,
    store: StoreDir = None,
    workers: Annotated[
        str, typer.Option(metavar="N|auto", help="Processes of each suite, as in pytest -n.")
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the kill matrix as JSON.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the kill matrix.")
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Show a matrix of an earlier run; run nothing."
        ),
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list", help="List the faults; run nothing.")
    ] = False,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """Put mistakes into the library, and see which specs fail.

    Each goes into a copy, on which the default suite runs on mnist5k. What is finished is kept beside the store: run the same command again to go on. Exits with 1
    where the suite does not see a fault, and nobody has said why.
    """
    from mnistrobust.mutants import matrix as kill_matrix
    from mnistrobust.mutants import view
    from mnistrobust.mutants.faults import FAULTS, fault_named

    if list_faults:
        chosen = [fault_named(name) for name in names or FAULTS]
        print_json([asdict(each) for each in chosen]) if as_json else view.print_faults(chosen)
        return
    for target in (output, picture):
        if target and (target.is_dir() or not target.absolute().parent.is_dir()):
            raise UsageError(f"{target}: no file in an existing folder; make it first.")
    matrix = view.known(known) if known else _run(names or [], store, workers)
    if output:
        output.write_text(matrix.to_json(), "utf-8")
    if picture:
        view.save_picture(matrix, picture)
    if as_json:
        print_json(
            {"summary": matrix.summary, "trials": [each.to_json() for each in matrix.trials]}
        )
    elif markdown:
        typer.echo(kill_matrix.markdown(matrix), nl=False)
    else:
        view.print_matrix(matrix)
    raise typer.Exit(1 if any(not FAULTS[each.fault].unseen for each in matrix.survivors) else 0)


def _run(names: list[str], store: str | None, workers: str) -> "Matrix":
    from mnistrobust import rendering
    from mnistrobust.keys import versions
    from mnistrobust.making import machine
    from mnistrobust.mutants import running
    from mnistrobust.mutants.faults import FAULTS, fault_named
    from mnistrobust.mutants.matrix import Matrix
    from mnistrobust.store import open_store
    from mnistrobust.verifying import find_clone

    chosen = [fault_named(name) for name in names or FAULTS]
    clone = find_clone()
    folder = running.trials_folder(open_store(store).root.absolute().parent / "mutants", clone)
    rendering.note(f"trials: {folder}")

    def tried(trial: "Trial") -> None:
        count = len(trial.failed)
        seen = (
            f"{count} {'spec fails' if count == 1 else 'specs fail'}" if count else "nothing fails"
        )
        rendering.note(f"{trial.fault}: {trial.mistake}: {seen} ({trial.seconds:.0f} s)")

    trials = running.trials(chosen, clone, folder, workers, tried)
    head = {
        "command": " ".join(["mnistrobust mutants", *names]),
        "machine": machine(),
        "versions": versions(),
    }
    return Matrix(head=head, trials=tuple(trials))
