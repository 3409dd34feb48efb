"""Find the side of a comparison that a text names."""

import os
from collections.abc import Callable
from pathlib import Path

from mnistrobust.checks.opening import check_given, check_name, open_model
from mnistrobust.checks.session import Session
from mnistrobust.comparison import baselines, seeds, sides
from mnistrobust.comparison.sides import Side
from mnistrobust.data import Source, load
from mnistrobust.errors import UsageError
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates.seeds import SUITE_SEED
from mnistrobust.store import Store

Tell = Callable[[str, float], None]


def open_side(
    given: str,
    source: Source,
    store: Store,
    *,
    networks: int | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    on: tuple[str, ...] = (),
    arch: str | None = None,
    trust: bool = False,
    tell: Tell = lambda *_: None,
) -> Side:
    """Return what `given` names predicts: a saved file, a baseline, a recipe, or any model.

    With `networks`, it is that many networks of a recipe, or of a function `train(images, labels, seed)`, with
    the seeds 1, 2, …; workers of a Dask `scheduler` train a recipe's. Raises UsageError, in one line.
    """
    dataset = load(source)
    kept = not given.endswith(".npz")
    file = baselines.model_file(given, store) if kept else Path(given)
    if file.is_file() and (side := sides.load(file, kept=kept)) is not None:
        sides.check_fits(side, source, given, on)
        if networks and not side.seeds:
            raise UsageError(
                f"{given}: it has the predictions of one given network; save it again with --seeds, or "
                f"leave --seeds out."
            )
        return side
    check_side(given, store)
    if networks:
        if given not in RECIPES and ":" not in given:
            raise UsageError(
                f"{given}: it cannot be trained; --seeds needs a recipe or package.module:train."
            )
        return seeds.trained(
            given,
            range(1, networks + 1),
            source,
            store,
            workers=workers,
            scheduler=scheduler,
            on=on,
            tell=tell,
        )
    if given in RECIPES:
        tell(f"{given}: its network", 0.0)
        return seeds.network(given, SUITE_SEED, source, store, on)
    tell(f"{given}: opening", 0.0)
    model = open_model(given, dataset, arch=arch, trust=trust)
    if on and model.predict is None:
        raise UsageError(
            f"{given}: it holds predictions, none of {', '.join(on)}; name the model itself, or leave "
            f"--on out."
        )
    return sides.side_of(
        Session(model, dataset, lambda name: tell(f"{given}: predicting {name}", 0.0)), on
    )


def check_side(given: str, store: Store) -> None:
    """Raise UsageError, before anything is run, for what is no model, recipe, baseline or file."""
    if given in RECIPES or baselines.model_file(given, store).is_file():
        return
    if given.endswith(".npz") and not os.path.lexists(given):
        raise UsageError(
            f"{given}: no such file; 'mnistrobust baseline save {given} MODEL' makes it."
        )
    check_name(given, "recipe or baseline", [*RECIPES, *baselines.names(store, "npz")])
    check_given(given)
