"""The command on perturbations: list them, draw them."""

from pathlib import Path
from typing import Annotated

import typer

from mnistrobust.cli.commands import check_file, decided, print_result
from mnistrobust.cli.options import Data, Json, Markdown, Offline
from mnistrobust.errors import inert

_DRAWN = (2, 4, 5, 7, 9)  # digits in the picture


def perturbations(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Default: all of ours. One of your own: package.module:function."
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw digits at the five severities of each."),
    ] = None,
    data: Data = None,
    offline: Offline = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """List the perturbations and their doses."""
    from mnistrobust import plots
    from mnistrobust.data import load
    from mnistrobust.perturbations import PERTURBATIONS, perturbation_named
    from mnistrobust.randomness import stream
    from mnistrobust.report import console, pictures
    from mnistrobust.report.markdown import code, table

    chosen = [perturbation_named(name) for name in names or PERTURBATIONS]
    if picture:
        check_file("--picture", picture, picture=True)
        dataset = load(decided(data, offline))
        places = [int((dataset.test_labels == digit).argmax()) for digit in _DRAWN]
        drawn = plots.perturbations(chosen, dataset.test_images[places], stream(0, "picture"))
        pictures.save(drawn, "--picture", picture)
        if not (as_json or markdown):
            return typer.echo(inert(picture))
    columns = ("perturbation", "does", "doses", "a person reads")
    rows = []
    for each in chosen:
        marked = ", ".join(f"{dose:.3g}" for dose in each.severities)
        doses = f"{each.doses[0]:g} to {each.doses[1]:g} ({each.unit}), marked {marked}"
        rows.append((each.name, each.summary, doses, each.reads))
    text = table(columns, [(code(name), *rest) for name, *rest in rows]) if markdown else None
    print_result(
        [each.to_json() for each in chosen],
        as_json,
        lambda: console.table(columns, rows, whole=columns[:1]),
        text,
    )
    return None
