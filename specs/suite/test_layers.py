"""Imports point one way, and quick commands stay quick."""

import ast
import json
import subprocess
import sys
from functools import cache

import pytest

from mnistrobust.data import Source
from mnistrobust.evidence.results import Outcome, Results
from specs.helpers import ROOT, tree_of

PACKAGE = ROOT / "mnistrobust"

# A room, which is a module or a folder, may import from the rooms above it only.
LAYERS = (
    ("errors", "files", "randomness", "words"),
    ("backend",),
    ("data", "transforms", "metrics", "engine", "models", "registry"),
    ("store", "recipes", "evidence", "perturbations"),
    ("conditions",),
    ("evaluations", "training", "architectures"),
    ("suite",),
    ("replicates",),
    ("judging",),
    ("curves",),
    ("plots",),
    ("document",),
    ("report",),
    ("notebook", "checks", "mutants"),
    ("fuzzing",),
    ("comparison",),
    ("sweeps",),
    ("testing",),
    ("cli",),
    ("__main__",),
)


def rooms():
    """Yield each room's name and its files."""
    for path in sorted(PACKAGE.iterdir()):
        if path.suffix == ".py" and path.stem != "__init__":
            yield path.stem, [path]
        elif path.is_dir() and any(path.glob("*.py")):
            yield path.name, sorted(path.rglob("*.py"))


@cache
def imports_of(file):
    """Return the modules that a file imports, by statement or by name."""
    return tuple(_imported(file))


def _imported(file):
    inside = file.relative_to(ROOT).with_suffix("").parts
    package = inside[:-1]
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            origin = ".".join(filter(None, (above, node.module)))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in vars(node.func).values():
            yield ast.unparse(node.args[0]).strip("f'\"").replace("{__name__}", ".".join(package))


@cache
def imported_by(name):
    """Return the rooms that a room imports from."""
    files = dict(rooms())[name]
    found = {each.split(".")[1] for file in files for each in imports_of(file) if _own(each)}
    return found - {name}


def _own(module):
    return module.startswith("mnistrobust.")


def test_every_room_has_a_layer():
    """No room is outside the order, and no layer names a room that is gone."""
    named = [name for layer in LAYERS for name in layer]
    assert sorted(named) == sorted(name for name, _ in rooms())


def test_imports_point_one_way():
    """A room imports only from layers above its own."""
    above: set[str] = set()
    for layer in LAYERS:
        for name in layer:
            assert imported_by(name) <= above, name
        above.update(layer)


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import mnistrobust.judging", "mnistrobust.judging"),
        ("from mnistrobust import judging", "mnistrobust.judging"),
        ("from mnistrobust.judging.live import report", "mnistrobust.judging.live.report"),
        ("from ..judging import live", "mnistrobust.judging.live"),
        ("def late():\n    from mnistrobust.judging import live", "mnistrobust.judging.live"),
        ('importlib.import_module("mnistrobust.judging")', "mnistrobust.judging"),
    ],
)
def test_every_kind_of_import_is_seen(line, module, tmp_path, monkeypatch):
    """An import counts wherever it stands, and however it is written."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "mnistrobust" / "store" / "room.py"
    file.parent.mkdir(parents=True)
    file.write_text(line)

    assert module in imports_of(file)


def test_no_room_has_a_circle():
    """Modules of one room do not import each other in a circle."""
    for _, files in rooms():
        names = {_module(file): file for file in files}
        graph = {name: _imports(file, names) - {name} for name, file in names.items()}
        assert _circle(graph) == {}


def _module(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file, names):
    """Return which of these modules a file imports; a name from a package may be a module."""
    found = imports_of(file)
    return {each if each in names else each.rpartition(".")[0] for each in found} & names.keys()


def _circle(graph):
    """Return what is left of a graph after its leaves are taken off again and again."""
    left = {name: set(others) for name, others in graph.items()}
    while leaves := [name for name, others in left.items() if not others & left.keys()]:
        for name in leaves:
            del left[name]
    return left


def test_the_library_imports_no_pytest():
    """Users import the library without its suite; `mnistrobust.testing` is for theirs."""
    for file in sorted((ROOT / "mnistrobust").rglob("*.py")):
        if file == ROOT / "mnistrobust" / "testing.py":
            continue
        modules = imports_of(file)
        assert not {"pytest", "fixtures"} & {each.partition(".")[0] for each in modules}, file


def modules_after(*command, cwd=ROOT):
    code = (
        "import runpy, sys, json\n"
        f"sys.argv = {list(command)!r}\n"
        "try: runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "sys.stderr.write('MODULES' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stderr.rpartition("MODULES")[2]))


@pytest.mark.parametrize(
    "command",
    [
        ("mnistrobust", "--help"),
        pytest.param(("mnistrobust", "claims"), marks=pytest.mark.slow),
        pytest.param(
            ("pytest", "specs/claims", "--collect-only", "-q", "--data", "mnist5k"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_quick_commands_import_no_tensorflow(command):
    """Help, the claims and a collection start without TensorFlow, Keras and numba."""
    assert not {"tensorflow", "keras", "numba"} & modules_after(*command)


@pytest.mark.slow
def test_a_report_imports_no_tensorflow(tmp_path):
    """The report is made from an earlier run's results, and nothing else."""
    outcome = Outcome(id="ann.offset_noise_hurts", seed=0, figures={"clean": 0.98765}, margin=0.1)
    source = Source(name="mnist5k", digest="0" * 64, path=None, why="as asked for")
    results = Results(source=source, seeds=(0,), outcomes=(outcome,))
    (tmp_path / "results.json").write_text(results.to_json(), "utf-8")
    where = ("--results", f"{tmp_path}/results.json", "--report", f"{tmp_path}/report")

    assert not {"tensorflow", "keras", "numba"} & modules_after("mnistrobust", "report", *where)
    assert "clean 0.988" in (tmp_path / "report" / "ledger.md").read_text("utf-8")
    assert {"index.html", "ledger.svg"} <= {path.name for path in (tmp_path / "report").iterdir()}
    assert (tmp_path / "report" / "results.json").read_text("utf-8") == results.to_json()
