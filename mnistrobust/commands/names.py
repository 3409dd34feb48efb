"""The names that commands take, and how a shell completes them.

What completes a name imports what it needs when it is asked; none needs TensorFlow.
"""

from collections.abc import Iterator
from typing import Annotated

import typer


def complete_claim(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the claims that begin so, with their statements."""
    from mnistrobust.claims import load_claims

    claims = load_claims().values()
    yield from ((each.id, each.statement) for each in claims if each.id.startswith(incomplete))


def complete_recipe(incomplete: str) -> Iterator[str]:
    """Yield the recipes that begin so."""
    from mnistrobust.recipes import RECIPES

    yield from (name for name in RECIPES if name.startswith(incomplete))


def complete_view(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the views that begin so, with what they are."""
    from mnistrobust.views import VIEWS

    views = VIEWS.values()
    yield from ((each.name, each.summary) for each in views if each.name.startswith(incomplete))


def complete_baseline(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the baselines, beside the store that the line names, that begin so."""
    from mnistrobust import baselines
    from mnistrobust.store import open_store

    found = baselines.names(open_store(context.params.get("store")))
    yield from (name for name in found if name.startswith(incomplete))


ClaimId = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="Such as ann.offset_noise_hurts.", autocompletion=complete_claim
    ),
]
RecipeNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="RECIPE", help="Default: all recipes.", autocompletion=complete_recipe),
]
RecipeName = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="Such as ann_noisy.", autocompletion=complete_recipe),
]
BaselineName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The baseline's name.", autocompletion=complete_baseline),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="VIEW",
        help="View: clean, offset-noise, …",
        autocompletion=complete_view,
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
