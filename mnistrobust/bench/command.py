"""The command `mnistrobust bench`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.options import Data, Json, Offline


def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ann|rnn|cnn|world]…", help="Default: all of them."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="keras|torch|jax", help="Default: all that are installed."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Default: 3; a world of full MNIST once.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short turns; rough figures.")] = False,
    document: Annotated[
        bool, typer.Option("--document", help="Time the document itself, and verify.")
    ] = False,
    results: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="Measure nothing: show what --json printed."),
    ] = None,
    data: Data = None,
    offline: Offline = False,
    as_json: Json = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the README's section.")
    ] = False,
) -> None:
    """Compare our training with plain Keras, and with PyTorch and JAX where they are installed."""
    from mnistrobust import rendering
    from mnistrobust.bench import running, tables
    from mnistrobust.data import decide

    if results:
        found = running.from_files(results)
    else:
        source = decide(data or "auto", offline=offline)
        rendering.note(f"data: {source}")
        command = running.command_line(sys.argv[1:])
        if document:
            found = running.bench_document(source, command=command, note=rendering.note)
        else:
            found = running.bench(
                source,
                what or (),
                against=against,
                repeats=repeats,
                quick=quick,
                command=command,
                note=rendering.note,
            )
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    elif as_markdown:
        typer.echo(tables.markdown(found), nl=False)
    else:
        tables.print_results(found)
