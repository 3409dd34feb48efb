"""The commands that train networks and look at them: evaluate, train, show."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.cli.commands import check_file, decided, print_facts, print_result
from mnistrobust.cli.options import (
    Data,
    Json,
    Offline,
    On,
    RecipeName,
    RecipeNames,
    Seed,
    StoreDir,
    Workers,
)
from mnistrobust.errors import inert

if TYPE_CHECKING:
    from mnistrobust.replicates import Replicate


def recipes(as_json: Json = False) -> None:
    """List the recipes and the conditions."""
    from mnistrobust.conditions import CONDITIONS
    from mnistrobust.recipes import RECIPES
    from mnistrobust.report import console

    def tell() -> None:
        rows = []
        for each in RECIPES.values():
            more = " and a noise class" if each.noise_class else ""
            images = f"{each.rows or 'all'} {each.transform or 'clean'}{more}".replace("_", " ")
            rows.append((each.name, images, str(each.epochs)))
        console.table(("recipe", "training images", "epochs"), rows, right=["epochs"])
        console.table(("condition", "the network sees"), [*conditions.items()])

    recipes = [each.to_json() for each in RECIPES.values()]
    conditions = {each.name: each.summary for each in CONDITIONS.values()}
    print_result({"recipes": recipes, "conditions": conditions}, as_json, tell)


def evaluate(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Print the evaluation of one network under one condition."""
    replicate = _prepared([recipe], [on], seed, data, offline, store)
    print_facts(replicate.evaluate(recipe, on=on).to_json(), as_json)
    if not as_json:
        shares = "Shares of predictions with a probability above 0.9: of all, and of wrong ones."
        typer.echo(shares, err=True)


def train(
    recipes: RecipeNames = None,
    seed: Seed = 0,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Train recipes, and print their final loss and accuracy."""
    from mnistrobust.recipes import RECIPES
    from mnistrobust.report import console
    from mnistrobust.training import CURVES

    names = list(dict.fromkeys(recipes or RECIPES))
    replicate = _prepared(names, [], seed, data, offline, store, workers)
    curves = {name: replicate.trained(name).history for name in names}  # in any order
    ends = {name: {each: found[each][-1] for each in CURVES} for name, found in curves.items()}
    rows = [(name, *(f"{value:.4f}" for value in end.values())) for name, end in ends.items()]
    print_result(ends, as_json, lambda: console.table(("recipe", *CURVES), rows, right=CURVES))


def show(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Picture file (default: RECIPE-CONDITION-seedN.png)."),
    ] = None,
) -> None:
    """Draw the document's plots of one network."""
    from mnistrobust.report import pictures

    target = output or Path(f"{recipe}-{on}-seed{seed}.png".replace(":", "-"))
    check_file("--output", target, picture=True)
    replicate = _prepared([recipe], [on], seed, data, offline, store)
    pictures.save(pictures.overview(replicate, recipe, on), "--output", target)
    typer.echo(inert(target))


def _prepared(
    recipes: Sequence[str],
    conditions: Sequence[str],
    seed: int,
    data: str | None,
    offline: bool,
    store: str | None,
    workers: int | None = 1,
) -> "Replicate":
    """Train and evaluate what is missing; a wrong name fails before any work."""
    from mnistrobust.conditions import condition_named
    from mnistrobust.recipes import recipe_named
    from mnistrobust.replicates import Replicate
    from mnistrobust.report import console
    from mnistrobust.store import open_store

    for recipe in recipes:
        recipe_named(recipe)
    for condition in conditions:
        condition_named(condition)
    opened = open_store(store)
    replicate = Replicate(seed, decided(data, offline), opened)
    tasks = [replicate.task(recipe, conditions) for recipe in recipes]
    console.prepare(replicate, tasks, workers=workers)
    return replicate
