"""Imports point one way, and quick commands stay quick."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each module may import from those above it only.
LAYERS = (
    ("errors", "options", "randomness", "backend", "words", "code", "progress"),
    ("metrics", "transforms", "mnist_files", "models", "engine", "statistics", "seeds"),
    ("data", "claims", "inputs"),
    ("store", "recipes", "views", "evidence"),
    ("verdicts", "keys"),
    ("ledger",),
    ("readings", "training", "verifying", "checking", "live"),
    ("world", "plots"),
    ("parallel", "document", "making", "strip_plots"),
    ("rendering", "strategies", "replicating"),
    ("ledger_view",),
    ("bench", "commands"),
    ("cli",),
    ("__main__",),
)


def module_names():
    package = ROOT / "mnistrobust"
    for path in sorted(package.iterdir()):
        if path.suffix == ".py" and path.stem != "__init__":
            yield path.stem
        elif (path / "__init__.py").exists():
            yield path.name


def imported_by(name):
    package = ROOT / "mnistrobust"
    files = [package / f"{name}.py"] if (package / f"{name}.py").exists() else []
    files += sorted((package / name).glob("*.py"))
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mnistrobust"):
                parts = node.module.split(".")
                yield from [parts[1]] if len(parts) > 1 else [each.name for each in node.names]


def test_every_module_has_a_layer():
    """No module is outside the order."""
    assert sorted(module_names()) == sorted(
        {name for layer in LAYERS for name in layer} & set(module_names())
    )


@pytest.mark.parametrize("name", list(module_names()))
def test_imports_point_one_way(name):
    """A module imports only from layers above its own."""
    level = next(i for i, layer in enumerate(LAYERS) if name in layer)
    above = {each for layer in LAYERS[:level] for each in layer} | {name}

    assert set(imported_by(name)) <= above


@pytest.mark.parametrize("name", list(module_names()))
def test_the_library_imports_no_pytest(name):
    """Users import the library without its suite."""
    file = ROOT / "mnistrobust" / f"{name}.py"
    text = file.read_text("utf-8") if file.exists() else ""
    modules = {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert not {"pytest", "fixtures"} & modules


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
        ("mnistrobust", "claims"),
        ("pytest", "specs/claims", "--collect-only", "-q", "--data", "mnist5k"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_quick_commands_import_no_tensorflow(command):
    """Help, the claims and a collection start without TensorFlow, Keras and numba."""
    assert not {"tensorflow", "keras", "numba"} & modules_after(*command)
