"""One fault after the other: a copy of the clone with the mistake in it, and its default suite."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from mnistrobust.errors import MnistRobustError
from mnistrobust.mutants.faults import Fault
from mnistrobust.mutants.matrix import CLAIMS, Trial
from mnistrobust.store import code, write_whole
from mnistrobust.suite import placed, run_pytest

SECONDS = 1800.0  # after which a suite counts as failed
SOUND = Fault(name="sound", mistake="nothing is changed", edits=())
_PARTS = (
    "mnistrobust", "fixtures", "specs", ".github", "conftest.py", "pyproject.toml", "README.md",
    "LICENSE",
)  # fmt: skip
_DIGESTED = ("mnistrobust", "fixtures", "specs", "conftest.py", "pyproject.toml")
_OF_TRIALS = {"mnistrobust/mutants/faults.toml", "mnistrobust/evidence/mutants.json"}
Tried = Callable[[Trial], None]
# What a spec that edits the source itself fails with where a fault has replaced its text: it has
# not seen the mistake.
_MISSES_ITS_TEXT = "NotInSourceError"
# What fails at any change of code that evidence depends on: it has not seen the mistake either.
_OF_ANY_CHANGE = "specs/suite/test_committed_evidence.py"


def trials_folder(root: Path, clone: Path) -> Path:
    """Return the folder for finished trials of the clone as it is: other code and data have another.

    Another list of faults has the same: a trial's file is named by what its own fault edits. Pages
    have no part in it.
    """
    digest = hashlib.sha256()
    places = [place for part in _DIGESTED for place in (clone / part, *(clone / part).rglob("*"))]
    for path in sorted(filter(Path.is_file, places)):
        name = path.relative_to(clone).as_posix()
        if path.suffix == ".py":
            digest.update(f"{name} {code.digest_of_file(path)}\n".encode())
        elif path.suffix not in {".md", ".pyc"} and name not in _OF_TRIALS:
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return root / digest.hexdigest()[:12]


def trials(
    faults: Sequence[Fault], clone: Path, folder: Path, workers: str, tried: Tried
) -> list[Trial]:
    """Try each fault, and larger until a claim sees it; finished trials are kept.

    The rest of the suite is run where no claim sees a fault, and only until it sees it. Raises
    MnistRobustError where the suite fails without a fault: nothing would follow.
    """
    sound = _trial(SOUND, "", True, clone, folder, workers)
    if sound.failed:
        raise MnistRobustError(
            f"The suite fails without a fault ({sound.failed[0]}): run 'pytest specs --data "
            f"mnist5k' and repair that first."
        )
    tried(sound)
    finished = [sound]
    for fault in faults:
        whole = True
        for size in fault.sizes:
            trial = _trial(fault, size, whole, clone, folder, workers)
            finished.append(trial)
            tried(trial)
            if trial.claims:
                break
            whole = whole and not trial.failed
    return finished


def _trial(fault: Fault, size: str, whole: bool, clone: Path, folder: Path, workers: str) -> Trial:
    edits = hashlib.sha256(repr((fault.edits, size, whole)).encode()).hexdigest()
    kept = folder / f"{fault.name}-{edits[:12]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Trial(**json.loads(kept.read_text("utf-8")))
    with tempfile.TemporaryDirectory(prefix="mnistrobust-mutant-") as scratch:
        copy = Path(scratch)
        _copy(clone, copy)
        fault.put_into(copy / "mnistrobust", size)
        started = time.monotonic()
        failed, passed = _run([CLAIMS], copy, folder / "store", workers)
        if whole and not failed:
            rest = ["specs", f"--ignore={CLAIMS}"]
            failed, more = _run(rest, copy, folder / "store", workers)
            passed += more
        seconds = time.monotonic() - started
    trial = Trial(
        fault=fault.name,
        size=size,
        whole=whole,
        mistake=fault.described(size),
        failed=tuple(failed),
        passed=passed,
        seconds=round(seconds, 1),
    )
    if not (fault == SOUND and failed):  # that is repaired, or was this machine's
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(vars(trial)).encode())
    return trial


def _copy(clone: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for part in _PARTS:
        source = clone / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=ignored)
        elif source.is_file():
            shutil.copy(source, target)


def _run(specs: list[str], copy: Path, store: Path, workers: str) -> tuple[list[str], int]:
    """Run specs of a copy without the slow ones; return what failed, and how many passed."""
    junit = copy / "junit.xml"
    arguments = [
        *specs, "-q", "--offline", "--hypothesis-profile=ci", "--data=mnist5k", f"-n{workers}",
        f"--store={store}", f"--junit-xml={junit}", "-pno:cacheprovider",
        f"--deselect={_OF_ANY_CHANGE}",
    ]  # fmt: skip
    environment = {**placed(os.environ), "PYTHONPATH": str(copy)}
    for name in ("MNISTROBUST_DATA", "MNISTROBUST_STORE", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    with (copy / "pytest.log").open("w", encoding="utf-8") as log:
        try:
            ended = run_pytest(
                arguments, copy, output=log, environment=environment, seconds=SECONDS, apart=True
            )
        except subprocess.TimeoutExpired:
            return ["the suite does not end"], 0
    if not junit.is_file():
        return [f"the suite does not start: {_last_line(copy / 'pytest.log')}"], 0
    report = ET.parse(junit)  # noqa: S314 - our own pytest's
    cases = [(_name(case), _message(case)) for case in report.iter("testcase")]
    failed = sorted(
        {name for name, message in cases if message and _MISSES_ITS_TEXT not in message}
    )
    if ended not in {0, 1} and not failed:
        failed = [f"the suite breaks off: {_last_line(copy / 'pytest.log')}"]
    return failed, sum(not message for _, message in cases)


def _name(case: ET.Element) -> str:
    """Return the spec as pytest names it, without parameters."""
    module = case.get("classname", "").replace(".", "/")
    name = case.get("name", "").partition("[")[0]
    return f"{module}.py::{name}" if module else name


def _message(case: ET.Element) -> str | None:
    """Return what a spec failed with; None where it did not."""
    problem = next((child for child in case if child.tag in {"failure", "error"}), None)
    return None if problem is None else problem.get("message") or "no message"


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no output"
