"""Each law turns red when the library is broken as the table in this folder's README says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROW = re.compile(
    r"\| `(?P<file>\w+\.py)` `(?P<law>\w+)` \| `(?P<module>\w+\.py)` \| (?P<change>.*) \|"
)
BREAKS = [ROW.match(line) for line in (HERE / "README.md").read_text("utf-8").splitlines()]
BREAKS = [match.groupdict() for match in BREAKS if match]


def laws():
    """Return file and name of each law in this folder."""
    for path in sorted(HERE.glob("test_*.py")):
        if path != Path(__file__):
            for name in re.findall(r"^def test_(\w+)", path.read_text("utf-8"), re.MULTILINE):
                yield path.name, name


def run(folder, law):
    """Run one law, or all, on the copy of the library in a folder."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            law,
            "-q",
            "-x",
            "-m",
            "slow or not slow",
            "--data=mnist5k",
            "--offline",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "MNISTROBUST_STORE": str(folder / "store")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the library and of the laws."""
    folder = tmp_path_factory.mktemp("broken")
    ignore = shutil.ignore_patterns("__pycache__", "test_breaks.py")
    for name in ("mnistrobust", "fixtures", "specs/properties"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_every_law_has_a_break():
    """No law is without a break, and no break without its law."""
    assert [(each["file"], each["law"]) for each in BREAKS] == list(laws())


@pytest.mark.slow
@pytest.mark.parametrize("each", BREAKS, ids=[each["law"] for each in BREAKS])
def test_break_turns_its_law_red(each, copy):
    """The law passes on the library and fails on the broken one."""
    before, after = re.fullmatch("`(.*)` → `(.*)`", each["change"]).groups()
    module = copy / "mnistrobust" / each["module"]
    sound = module.read_text("utf-8")
    assert before in sound, f"{each['module']} no longer has: {before}"
    module.write_text(sound.replace(before, after, 1), "utf-8")
    try:
        ended = run(copy, f"specs/properties/{each['file']}::test_{each['law']}")
    finally:
        module.write_text(sound, "utf-8")

    assert "1 failed" in ended.stdout, ended.stdout[-2000:] + ended.stderr
