"""The options and names that several commands take, and how a shell completes the names."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand


class Command(TyperCommand):
    """A command whose help names no Python types: an argument's metavar says what it is."""

    def __init__(self, *given: Any, **options: Any) -> None:
        """Take what typer gives."""
        super().__init__(*given, **options)
        for each in self.params:
            if isinstance(each, TyperArgument):
                each.display_type_rich = lambda **_: None  # type: ignore[method-assign]


def command(example: str) -> dict[str, Any]:
    """Return how typer makes a command of ours, with an example at the end of its help."""
    return {"cls": Command, "epilog": f"Example: mnistrobust {example}"}


_LONGEST = 1_000_000  # seconds
MOST_SEEDS = 10_000  # a larger number is taken for a typing error, as in a run of the claims
_DATA = "Data set: an .npz file, a folder of IDX files, mnist5k, or auto (full MNIST if possible)."
Data = Annotated[
    str | None,
    typer.Option(metavar="auto|mnist5k|PATH", envvar="MNISTROBUST_DATA", help=_DATA),
]
EvidenceData = Annotated[  # no variable: the verdicts are full MNIST's unless another set is named
    str | None,
    typer.Option(
        "--data", metavar="auto|mnist5k|PATH", help="Whose evidence (default: full MNIST's)."
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never download the data set.")]
StoreDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", envvar="MNISTROBUST_STORE", help="Folder of trained models and evaluations."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print each claim in full.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Seed = Annotated[
    int, typer.Option(min=0, metavar="S", help="Seed of weights, order of images and noise.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes (default: by the machine).")
]
Doses = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="PERTURBATION:DOSE",
        help="Report the accuracy on it, too; may be repeated.",
    ),
]
Networks = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        min=2,
        max=MOST_SEEDS,
        metavar="K",
        help="Train K networks of a recipe, or by package.module:train, a function "
        "train(images, labels, seed) that returns a model; compare the ways to train.",
    ),
]
Backend = Annotated[
    str | None, typer.Option(metavar="dask", help="Where to train recipes (default: here).")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.1:8786."),
]
Arch = Annotated[
    str | None, typer.Option(metavar="ann|rnn|cnn", help="Architecture, for a file of weights.")
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Let a model's file run code, with your rights.")
]
InputShape = Annotated[
    str | None,
    typer.Option(
        metavar="784|28x28|28x28x1|1x28x28",
        help="Shape of one image for MODEL (default: detected).",
    ),
]
Pixels = Annotated[
    str | None,
    typer.Option(
        metavar="NONE..FULL",
        help="Pixel values of no ink and of full ink for MODEL, as 0..255 (default: detected).",
    ),
]
Logits = Annotated[
    bool | None,
    typer.Option("--logits/--probabilities", help="What MODEL returns (default: detected)."),
]


def finite(seconds: float | None) -> float | None:
    """Refuse a time that no clock counts, such as NaN."""
    if seconds is not None and not seconds <= _LONGEST:
        raise typer.BadParameter(f"{seconds:g} is not in the range 1<=x<={_LONGEST}")
    return seconds


Seconds = Annotated[
    float | None,
    typer.Option(
        min=1,
        callback=finite,
        metavar="N",
        help="Time for MODEL (default: 120, and 0.02 an image).",
    ),
]
EvidenceFile = Annotated[
    str | None,
    typer.Option(
        "--evidence", metavar="none|FILE", help="Judge by this (default: the committed file)."
    ),
]
ReportDir = Annotated[Path, typer.Option("--report", metavar="DIR", help="Folder of the report.")]


# typer picks those of these names that begin as the word does


def complete_claim() -> list[tuple[str, str]]:
    """Return the claims with their statements."""
    from mnistrobust.registry import load_claims

    return [(each.id, each.statement) for each in load_claims().values()]


def complete_recipe() -> list[str]:
    """Return the recipes."""
    from mnistrobust.recipes import RECIPES

    return [*RECIPES]


def complete_condition() -> list[tuple[str, str]]:
    """Return the conditions with what they are."""
    from mnistrobust.conditions import CONDITIONS

    return [(each.name, each.summary) for each in CONDITIONS.values()]


def complete_baseline(context: typer.Context) -> list[str]:
    """Return the baselines beside the store that the line names."""
    from mnistrobust.comparison import baselines
    from mnistrobust.store import open_store

    return baselines.names(open_store(context.params.get("store")))


ClaimId = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="Such as ann.offset_noise_hurts, or ann.", autocompletion=complete_claim
    ),
]
RecipeNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="RECIPE", help="Default: all recipes.", autocompletion=complete_recipe),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="Such as ann_noisy; 'mnistrobust recipes' lists them.",
        autocompletion=complete_recipe,
    ),
]
BaselineName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The baseline's name.", autocompletion=complete_baseline),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="CONDITION",
        help="A condition, or a perturbation at a dose, such as rotate:15; 'mnistrobust recipes' and "
        "'mnistrobust perturbations' list them.",
        autocompletion=complete_condition,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="NAME",
        help="Also say what changed since this baseline.",
        autocompletion=complete_baseline,
    ),
]
