"""The commands that train networks and look at them: measure, train, show."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistrobust.commands import print_json
from mnistrobust.commands.names import On, RecipeName, RecipeNames
from mnistrobust.errors import UsageError, inert
from mnistrobust.options import Data, Json, Offline, Seed, StoreDir, Workers

if TYPE_CHECKING:
    from mnistrobust.data import Source
    from mnistrobust.world import World


def measure(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Print what one network does on one view, trained if needed."""
    from mnistrobust import rendering
    from mnistrobust.world import Task

    _check(recipe, on)
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(recipe, (on,))], workers=1)
    reading = world.read(recipe, on=on).to_json()
    print_json(reading) if as_json else rendering.print_mapping(reading)


def train(
    recipes: RecipeNames = None,
    seed: Seed = 0,
    workers: Workers = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Train recipes, by default all, and print how they end."""
    from mnistrobust import rendering
    from mnistrobust.recipes import RECIPES
    from mnistrobust.world import Task

    names = list(dict.fromkeys(recipes or RECIPES))
    for name in names:
        _check(name)
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(name) for name in names], workers=workers)
    ends = {
        name: {curve: values[-1] for curve, values in world.trained(name).history.items()}
        for name in names
    }
    print_json(ends) if as_json else rendering.print_training(ends)


def show(
    recipe: RecipeName,
    on: On,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Picture (default: RECIPE-VIEW-seedN.png).")
    ] = None,
    data: Data = None,
    offline: Offline = False,
    store: StoreDir = None,
) -> None:
    """Draw the document's pictures of one network on one view."""
    from mnistrobust import rendering
    from mnistrobust.world import Task

    _check(recipe, on)
    target = output or Path(f"{recipe}-{on}-seed{seed}.png")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise UsageError(f"--output {target}: no file in an existing folder; make it first.")
    world = _world(seed, data, offline, store)
    rendering.prepare(world, [Task(recipe, (on,))], workers=1)
    rendering.save_overview(world, recipe, on, target)
    typer.echo(inert(target))


def _check(recipe: str, view: str | None = None) -> None:
    """Fail for a wrong name before any work."""
    from mnistrobust.recipes import recipe_named
    from mnistrobust.views import view_named

    recipe_named(recipe)
    if view is not None:
        view_named(view)


def _world(seed: int, data: str | None, offline: bool, store: str | None) -> "World":
    from mnistrobust import rendering
    from mnistrobust.data import decide
    from mnistrobust.store import open_store
    from mnistrobust.world import World

    opened = open_store(store)
    source: Source = decide(data, offline=offline)
    rendering.note(f"data: {source}")
    if source.notice:
        rendering.note(source.notice)
    return World(seed, source, opened)
