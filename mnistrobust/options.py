"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

BACKENDS = ("threading", "loky", "dask", "ray")  # engines that joblib runs worlds on

Data = Annotated[
    str | None,
    typer.Option(
        metavar="auto|mnist5k|PATH",
        envvar="MNISTROBUST_DATA",
        help="Data set: an .npz, a folder of IDX files, mnist5k, or auto.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never download the data set.")]
StoreDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", envvar="MNISTROBUST_STORE", help="Folder of trained models and readings."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Seed = Annotated[int, typer.Option(min=0, help="The world: every seed trains other networks.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes (default: what fits).")]
EvidenceFile = Annotated[
    str | None,
    typer.Option(
        "--evidence", metavar="none|FILE", help="Judge by this evidence (default: the committed)."
    ),
]
ReportDir = Annotated[Path, typer.Option("--report", metavar="DIR", help="Folder of the report.")]
