"""Each law turns red when the library is broken as the table in this folder's README says."""

import compileall
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import cache
from itertools import groupby
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROW = re.compile(r"\| `(\w+)` `(\w+)` \| `(.*)` → `(.*)` \|")
BREAKS = [
    row.groups() for row in map(ROW.match, (HERE / "README.md").read_text().splitlines()) if row
]
IDS = [
    f"{law}-{number}"
    for law, rows in groupby(law for _, law, _, _ in BREAKS)
    for number, _ in enumerate(rows, 1)
]
# How a law fails where the break itself is no program.
NO_PROGRAM = re.compile(r"^E +(SyntaxError|IndentationError|NameError|ImportError)\b", re.MULTILINE)


class NotInSourceError(AssertionError):
    """A break's text does not stand in one file of the package: adapt the table."""


@cache
def texts(package):
    """Return the text of each file of a package, its list of mistakes left out."""
    files = [path for path in package.rglob("*.py") if "mutants" not in path.parts]
    return {path: path.read_text("utf-8") for path in files}


def place(package, text):
    """Return the one file of a package, its list of mistakes left out, that has a text."""
    found = [path for path, whole in texts(package).items() if text in whole]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "no file"
        raise NotInSourceError(f"Expected {text!r} in one file, found it in {names}.")
    return found[0]


def laws():
    """Return file and name of each law in this folder."""
    for path in sorted(HERE.glob("test_*.py")):
        if path != Path(__file__):
            for name in re.findall(r"^def test_(\w+)", path.read_text("utf-8"), re.MULTILINE):
                yield path.stem.removeprefix("test_"), name


# Loads what laws import of others once; each law runs in a child of its own, which loads ours. It is
# enough to know that a law fails: its examples are those of the profile `ci`, but are not shrunk.
SERVER = """
import os, sys

import hypothesis.extra.numpy, jinja2, numba, numpy, pandas, pytest, scipy.ndimage, scipy.stats
from hypothesis import Phase, settings


class FirstFailure:
    @pytest.hookimpl(trylast=True)
    def pytest_configure(self):
        once = {"phases": [Phase.explicit, Phase.generate], "report_multiple_bugs": False}
        settings.register_profile("breaks", settings.get_profile("ci"), **once)
        settings.load_profile("breaks")


OPTIONS = ("-q", "-x", "--data=mnist5k", "--offline", "--hypothesis-profile=ci")
LOADED = "ignore::pytest.PytestAssertRewriteWarning"
for law in map(str.strip, sys.stdin):
    child = os.fork()
    if not child:
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        code = pytest.main([law, *OPTIONS, "-W", LOADED], [FirstFailure()])
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def run(copy):
    """Run one law on the copy of the library; return pytest's exit code and text."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "MNISTROBUST_STORE": str(copy / "store"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=copy, env=environment, start_new_session=True, **pipes
    ) as server:

        def law(name):
            print(name, file=server.stdin, flush=True)
            return int(server.stdout.readline()), (copy / "output.txt").read_text("utf-8")

        yield law
        os.killpg(server.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the library and of the laws."""
    folder = tmp_path_factory.mktemp("broken")
    ignore = shutil.ignore_patterns("__pycache__", "test_breaks.py")
    for name in ("mnistrobust", "fixtures", "specs/properties"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    # by content: by time, two breaks of one size within a second would share their bytecode
    compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    return folder


def test_every_law_has_a_break():
    """No law is without a break, and no break without its law."""
    assert [law for law, _ in groupby(row[:2] for row in BREAKS)] == list(laws())


def test_every_break_fits_todays_code():
    """Each text that a break replaces stands in one file of the package, whichever it is."""
    for text in {text: None for _, _, text, _ in BREAKS}:
        place(ROOT / "mnistrobust", text)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "law", "before", "after"), BREAKS, ids=IDS)
def test_break_turns_its_law_red(file, law, before, after, copy, run):
    """The law, which passes on the library, fails on the broken one."""
    broken = place(copy / "mnistrobust", before)
    sound = broken.read_text("utf-8")
    broken.write_text(sound.replace(before, after, 1), "utf-8")
    try:
        code, text = run(f"specs/properties/test_{file}.py::test_{law}")
    finally:
        broken.write_text(sound, "utf-8")

    assert code == 1, text[-2000:]
    assert "1 failed" in text
    assert not NO_PROGRAM.search(text), text[-2000:]
