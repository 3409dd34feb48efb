"""`mnistrobust verify`: the specs, run by pytest, and what they report."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mnistrobust import questions
from mnistrobust.claims import claim_named
from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import Results
from mnistrobust.ledger_markdown import markdown

_SPECS = Path("specs") / "claims"
_END_SECONDS = 5.0  # for pytest to end after an interrupt


def find_clone(start: Path | None = None) -> Path:
    """Return the folder with the specs: the current one or one above it.

    Raises UsageError outside a clone: the specs are not part of the installed package.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / _SPECS).is_dir() and (folder / "conftest.py").is_file():
            return folder
    raise UsageError(
        f"verify runs the specs of a clone of this project, and {here} is not in one: "
        f"change to the clone's folder first."
    )


def verify(
    options: Mapping[str, str | None],
    *,
    offline: bool,
    models: Sequence[str] = (),
    families: Sequence[str] = (),
) -> tuple[Results | None, int]:
    """Run the claims' specs, all or those of some families, and return their report and exit code.

    `models` are architectures in place of named ones, as `family=module:function`. pytest writes
    to standard error. Results are None where it could not run the specs.
    """
    clone = find_clone()
    specs = [str(_SPECS / f"test_{family}.py") for family in families] or [str(_SPECS)]
    with tempfile.TemporaryDirectory(prefix="mnistrobust-", ignore_cleanup_errors=True) as folder:
        target = Path(folder) / "results.json"
        command = [sys.executable, "-m", "pytest", *specs, "-n", "auto"]
        command += ["--results", str(target)]
        for name, value in options.items():
            if value is not None:
                command += [name, value]
        command += ["--offline"] if offline else []
        for model in models:
            command += ["--model", model]
        code = _run(command, clone, Path(folder), importing=Path.cwd() if models else None)
        results = Results.from_json(target.read_text("utf-8")) if target.exists() else None
    if results is not None and not results.outcomes:
        results = None
    return results, {0: 0, 1: 1, 3: 3}.get(code, 2)


def _run(command: Sequence[str], clone: Path, folder: Path, importing: Path | None = None) -> int:
    # What pytest leaves behind when it is ended goes with our folder.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    if importing:  # where the reader's own modules lie
        known = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(importing), *([known] if known else [])])
    with subprocess.Popen(  # noqa: S603
        command, cwd=clone, stdout=sys.stderr, env=environment
    ) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # A terminal interrupts pytest too; one that was not ends by the next signal.
            for end in (None, process.terminate, process.kill):
                if end is not None:
                    end()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
            raise


def check_targets(report: Path, results: Path | None) -> None:
    """Make the report's folder before a long run; UsageError where it or a file cannot be."""
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--report {report}: {error.strerror}; name another folder.") from error
    if results and (results.is_dir() or not results.absolute().parent.is_dir()):
        raise UsageError(f"--results {results}: no file in an existing folder; make it first.")


def read_results(path: Path) -> Results:
    """Return the results that an earlier run wrote; UsageError for another file."""
    try:
        results = Results.from_json(path.read_text("utf-8"))
        for outcome in results.outcomes:
            claim_named(outcome.id)
    except OSError as error:
        raise UsageError(
            f"--results {path}: {error.strerror}; run 'mnistrobust verify' first."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"--results {path}: expected what verify wrote ({error!r}).") from error
    return results


def write_report(results: Results, folder: Path, evidence: Evidence | None = None) -> None:
    """Write `results.json` and `ledger.md` into a folder; UsageError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(results.to_json(), "utf-8")
        ledger = markdown(results, evidence) + "\n" + questions.markdown(evidence)
        (folder / "ledger.md").write_text(ledger, "utf-8")
    except OSError as error:
        raise UsageError(f"--report {folder}: {error.strerror}; name another folder.") from error
