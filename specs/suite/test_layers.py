"""Imports point one way, and quick commands stay quick."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from mnistrobust.data import Source
from mnistrobust.ledger import Outcome, Results

ROOT = Path(__file__).parents[2]

# Each module may import from those above it only.
LAYERS = (
    ("errors", "options", "randomness", "backend", "words", "code", "progress", "flips"),
    (
        "metrics",
        "transforms",
        "mnist_files",
        "models",
        "engine",
        "statistics",
        "intervals",
        "seeds",
        "phrases",
    ),
    ("data", "claims", "inputs"),
    ("store", "recipes", "views", "evidence"),
    ("replacing",),
    ("verdicts", "keys"),
    ("ledger", "questions"),
    ("ledger_markdown",),
    ("readings", "training", "verifying", "checking", "live", "summary"),
    ("world", "plots"),
    ("parallel", "document", "making", "strip_plots", "runs"),
    ("rendering", "strategies", "replicating", "sensitivity", "changes"),
    ("report", "baselines", "changes_view", "notebook"),
    ("ledger_view", "mutants"),
    ("battery",),
    ("bench", "commands", "testing"),
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


@cache
def imported_by(name):
    return tuple(_imported_by(name))


def _imported_by(name):
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


def test_imports_point_one_way():
    """A module imports only from layers above its own."""
    above: set[str] = set()
    for layer in LAYERS:
        for name in layer:
            assert set(imported_by(name)) <= {*above, name}, name
        above.update(layer)


def test_the_core_does_not_import_the_battery():
    """Only the commands and `mnistrobust.testing` do, and the command line only when asked to."""
    users = {name for name in module_names() if "battery" in imported_by(name)}
    at_start = {
        node.module
        for node in ast.parse(
            (ROOT / "mnistrobust" / "commands" / "battery.py").read_text("utf-8")
        ).body
        if isinstance(node, ast.ImportFrom)
    }

    assert users == {"battery", "commands", "testing"}
    assert not [name for name in at_start if name.startswith("mnistrobust.battery")]


def test_the_library_imports_no_pytest():
    """Users import the library without its suite; `mnistrobust.testing` is for theirs."""
    for file in sorted((ROOT / "mnistrobust").rglob("*.py")):
        if file == ROOT / "mnistrobust" / "testing.py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
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
    assert {"index.html", "junit.xml", "ledger.svg"} <= {
        path.name for path in (tmp_path / "report").iterdir()
    }
    assert (tmp_path / "report" / "results.json").read_text("utf-8") == results.to_json()
