"""The README's commands, examples and tables match the code."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnistrobust import sensitivity
from mnistrobust.bench import running, tables
from mnistrobust.checking import checks_of
from mnistrobust.claims import load_claims
from mnistrobust.evidence import load
from mnistrobust.ledger_markdown import verdicts_markdown
from mnistrobust.mutants import matrix
from mnistrobust.mutants.view import known
from mnistrobust.recipes import RECIPES
from mnistrobust.views import VIEWS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(marker):
    return re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)[1]


def test_both_commands_install_and_run():
    """Each of the two commands is one line that installs, then runs."""
    for name, run in (("verify", "mnistrobust verify"), ("test", "pytest specs -n auto")):
        command = block(f"command: {name}")
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e . && ")
        assert command.strip().endswith(f".venv/bin/{run}")


def test_linked_files_exist():
    """Every relative link of the README leads to a file of the project."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_example_names_what_exists():
    """The spec of one's own uses real recipes and views, and compiles."""
    example = block("example: spec")
    compile(example, "README.md", "exec")

    assert set(re.findall(r'(?:views\(|on=)"([^"]+)"', example)) <= set(VIEWS)
    assert set(re.findall(r'read\("([^"]+)"', example)) <= set(RECIPES)


def test_every_module_that_the_table_names_exists():
    """The table of where things go names files that exist."""
    files = re.findall(r"`(mnistrobust/[\w/]+\.py)`", README)

    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_speed_is_what_the_benchmark_printed():
    """The section on speed is `bench --from .github/speed.json --markdown`, word for word."""
    section = re.search(r"<!-- speed -->\n(.*?)<!-- end -->", README, re.DOTALL)[1]

    assert section == tables.markdown(running.from_files([ROOT / ".github" / "speed.json"]))


@pytest.mark.skipif(shutil.which("sed") is None, reason="no sed on this system")
def test_the_changed_dropout_is_the_anns(tmp_path):
    """The command that edits the builder changes its three rates, and keeps the old file."""
    (tmp_path / "mnistrobust").mkdir()
    models = tmp_path / "mnistrobust" / "models.py"
    shutil.copy(ROOT / "mnistrobust" / "models.py", models)
    before = models.read_text("utf-8")
    save, edit, compare = block("example: baseline").splitlines()

    subprocess.run(shlex.split(edit), cwd=tmp_path, check=True)

    assert models.read_text("utf-8").count("Dropout(0.6)") == 3
    assert models.with_name("models.py.bak").read_text("utf-8") == before
    assert (save.split()[:3], compare.split()[:3]) == (
        ["mnistrobust", "baseline", "save"], ["mnistrobust", "baseline", "compare"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("verdicts", lambda: verdicts_markdown(load_claims().values(), load("mnist"))),
        ("sensitivity", lambda: sensitivity.markdown(checks_of(load("mnist")))),
        ("sensitivity mnist5k", lambda: sensitivity.markdown(checks_of(load("mnist5k")))),
        ("mutants", lambda: matrix.markdown(known(ROOT / "mnistrobust/evidence/mutants.json"))),
    ],
)
def test_what_evidence_says_is_what_the_commands_print(name, made):
    """The blocks are what `claims`, `evidence` and `mutants` print with --markdown, word for word."""
    section = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", README, re.DOTALL)[1]

    assert section == made()


@pytest.mark.slow
def test_the_examples_pass(tmp_path, settings):
    """The README's specs of one's own run as they stand, on this run's data set and store."""
    for name in ("spec", "law"):
        (tmp_path / f"test_{name}.py").write_text(block(f"example: {name}"), "utf-8")
    command = [sys.executable, "-m", "pytest", tmp_path, "-p", "conftest", "-c", "pyproject.toml"]
    where = ["--store", settings.store_root, "--data", settings.source.path or "mnist5k"]
    done = subprocess.run([*command, *where], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
