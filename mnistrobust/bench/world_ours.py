"""One whole world by us: 13 networks from an empty store, and every reading the claims need."""

import ast
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust import parallel
from mnistrobust.backend import import_keras
from mnistrobust.bench.contestants import Note, Run
from mnistrobust.data import Source
from mnistrobust.engine import engine_for
from mnistrobust.models import ARCHITECTURES
from mnistrobust.progress import Board
from mnistrobust.recipes import RECIPES
from mnistrobust.store import Store
from mnistrobust.verifying import find_clone
from mnistrobust.world import Task, World

SECONDS = 10.0  # between two notes


def prepare(job: dict[str, Any], note: Note) -> Run:
    """Return the making of a world. Compilation, once a machine, is done here and not in it."""
    _compile()
    source, tasks = Source(**job["source"]), needed()

    def run(worlds: int) -> dict[str, Any]:
        for _ in range(worlds):
            with tempfile.TemporaryDirectory(prefix="mnistrobust-bench-") as folder:
                board = Board(Path(folder))
                world = World(0, source, Store(Path(folder) / "store"), board)
                ended = threading.Event()
                watch = threading.Thread(target=_watch, args=(board, ended, note), daemon=True)
                watch.start()
                try:
                    parallel.prepare(world, tasks)
                finally:
                    ended.set()
                    watch.join()
        readings = sum(len(task.views) for task in tasks)
        workers = parallel.worker_count(len(tasks))
        return {"models": len(tasks), "readings": readings, "processes": workers}

    return run


def needed() -> list[Task]:
    """Return the recipes that the specs of the claims read, each with the views they read it on.

    Raises UsageError outside a clone, which has the specs.
    """
    views: dict[str, set[str]] = {recipe: set() for recipe in RECIPES}
    for spec in sorted((find_clone() / "specs" / "claims").glob("test_*.py")):
        for node in ast.walk(ast.parse(spec.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "world.read":
                recipe, view = (ast.literal_eval(each) for each in _arguments(node))
                views[recipe].add(view)
    return [Task(recipe, tuple(sorted(found))) for recipe, found in views.items() if found]


def _arguments(call: ast.Call) -> tuple[ast.expr, ast.expr]:
    return call.args[0], call.keywords[0].value


def _compile() -> None:
    import_keras()
    rng = np.random.default_rng(0)
    for architecture in ARCHITECTURES.values():
        for classes in (10, 11):
            model = architecture.builder(classes)
            fast = engine_for(model)
            if fast:
                images = np.zeros((64, *model.input_shape[1:]), np.float32)
                labels, weights = np.zeros(64, np.int64), model.get_weights()
                fast.fit(weights, images, labels, epochs=1, batch_size=32, order=rng, dropout=rng)
                fast.logits(weights, images)


def _watch(board: Board, ended: threading.Event, note: Note) -> None:
    while not ended.wait(SECONDS):
        if now := board.look():
            note(str(now))
