"""The claims' specs: find them, tell what they evaluate, and run them with pytest in a subprocess."""

import contextlib
import inspect
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from mnistrobust.data import decide
from mnistrobust.errors import DataError, MnistRobustError, UsageError
from mnistrobust.evaluations import Evaluation
from mnistrobust.evidence import NONE, load
from mnistrobust.evidence.results import Results
from mnistrobust.files import absolute, regular, write_whole
from mnistrobust.registry import claim_named
from mnistrobust.store.code import INSTALLED, PACKAGE, suite_root
from mnistrobust.transforms import NOISE_LABEL, PIXELS
from mnistrobust.words import Margin

_SPECS = Path("specs") / "claims"
# Options and variables that name files, with the words that they take instead.
_SETS = ("auto", "mnist5k")
_PLACES = {
    "--data": _SETS,
    "MNISTROBUST_DATA": _SETS,
    "--evidence": (NONE,),
    "--store": (),
    "MNISTROBUST_STORE": (),
    "MNISTROBUST_CACHE": (),
    "KERAS_HOME": (),
}
_END_SECONDS = 5.0  # for pytest to end after an interrupt
# Ends pytest when its parent ends: the parent holds the other end of its standard input.
# It starts with interrupts blocked, so that one that comes early shows no traceback.
_LEASH = """
import os, runpy, signal, sys, threading
end = os.dup(0)
def leash():
    os.read(end, 1)
    os._exit(1)
threading.Thread(target=leash, daemon=True).start()
try:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
except KeyboardInterrupt:  # before pytest handles it
    os._exit(2)
"""


def find_suite(start: Path | None = None) -> Path:
    """Return the folder with the specs: the clone around a folder, or the installed package's own.

    Raises UsageError for a clone whose package is not the running one: pytest would run the clone's
    code, and the digests would be those of the running one.
    """
    here = (start or Path.cwd()).absolute()
    root = next((each for each in (here, *here.parents) if _is_clone(each)), suite_root())
    package, running = root / PACKAGE, Path(__file__).parent
    if (package / "__init__.py").is_file() and not package.samefile(running):
        raise UsageError(
            f"The package of {root} is not the one that runs, {running}: run 'pip install -e .' "
            f"there, or change to another folder."
        )
    return root


def find_clone(purpose: str, start: Path | None = None) -> Path:
    """Return the clone around a folder or around the package; UsageError where there is none."""
    root = find_suite(start)
    if not _is_clone(root):
        raise UsageError(f"{purpose} needs a clone of this project: change to its folder first.")
    return root


def _is_clone(folder: Path) -> bool:
    """Return whether a folder is a clone, not an installed suite or another project with such folders."""
    if not (folder / _SPECS).is_dir() or folder.name == INSTALLED:
        return False
    try:
        return f'name = "{PACKAGE}"' in regular(folder / "pyproject.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def evaluated_by(spec: Callable[..., object]) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the recipes that a claim's spec evaluates, with those of their conditions.

    The spec is called with stand-ins, so nothing is trained. Empty if it is no claim's spec.
    """
    fixtures = inspect.signature(spec).parameters.keys()
    if "claim" not in fixtures or fixtures - {"claim", "evaluate", "history"}:
        return {}
    needed: dict[str, list[str]] = {}

    def evaluate(recipe: str, *, on: str) -> Evaluation:
        needed.setdefault(recipe, []).append(on)
        return stand_in(recipe, on=on)

    def history(recipe: str) -> Mapping[str, list[float]]:
        needed.setdefault(recipe, [])
        return no_history(recipe)

    _try(spec, evaluate, history)
    return {recipe: tuple(dict.fromkeys(conditions)) for recipe, conditions in needed.items()}


@cache
def measured_on(spec: Callable[..., object]) -> Mapping[str, set[str]]:
    """Return for each figure of a claim's spec the recipes on whose networks it is measured.

    It is another figure where another stand-in takes the network's place.
    """

    def figures(of: str | None) -> dict[str, float]:
        reported: dict[str, float] = {}

        def evaluate(recipe: str, *, on: str) -> Evaluation:
            made = stand_in(recipe, on=on)
            if recipe != of:
                return made
            zeros = np.zeros_like(made.predictions)
            other = replace(made, predictions=zeros, losses=zeros + np.float32(1))
            return replace(other, confidence=made.confidence / 2, input_shape=(28, 28))

        def history(recipe: str) -> Mapping[str, list[float]]:
            return defaultdict(lambda: [float(recipe == of)] * 100)

        _try(spec, evaluate, history, reported)
        return reported

    before, after = figures(None), {recipe: figures(recipe) for recipe in evaluated_by(spec)}
    return {
        name: {recipe for recipe in after if after[recipe].get(name) != value}
        for name, value in before.items()
    }


def _try(spec: Callable[..., object], *stand_ins: Any) -> None:
    """Call a spec with stand-ins as far as it goes: pytest will report what is wrong."""
    try:
        margins(spec, *stand_ins)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001, S110 - also pytest.skip
        pass


def margins(
    spec: Callable[..., object],
    evaluate: Callable[..., Evaluation],
    history: Callable[[str], Mapping[str, Sequence[float]]],
    figures: dict[str, float] | None = None,
) -> tuple[Margin, ...]:
    """Return the margins that a claim's spec reports for these evaluations and learning curves.

    Its figures are added to `figures`.
    """
    reported: list[Margin] = []
    claim = SimpleNamespace(
        figures=lambda **given: (figures if figures is not None else {}).update(given),
        draws=lambda **_: None,
        margin=lambda *margins: reported.extend(margins),
    )
    fixtures = {"claim": claim, "evaluate": evaluate, "history": history}
    spec(**{name: fixtures[name] for name in inspect.signature(spec).parameters})
    return tuple(reported)


def spec_of(claim: str) -> Callable[..., object]:
    """Return the spec of a claim by its id: a function of its fixtures."""
    file, _, name = claim_named(claim).spec.partition("::")
    spec: Callable[..., object] = _definitions(suite_root() / file)[name]
    return spec


@cache
def _definitions(file: Path) -> Mapping[str, Any]:
    return runpy.run_path(str(file))


def stand_in(recipe: str, *, on: str) -> Evaluation:
    """Return an evaluation that costs nothing: 11 zeros, predicted as 0 to 10 with confidence 1."""
    predictions = np.arange(NOISE_LABEL + 1, dtype=np.uint8).reshape(1, -1)
    return Evaluation(
        recipe=recipe,
        condition=on,
        seed=0,
        dataset="",
        classes=predictions.size,
        input_shape=(PIXELS,),
        labels=np.zeros_like(predictions),
        predictions=predictions,
        confidence=np.ones(predictions.shape, np.float32),
        losses=np.zeros(predictions.shape, np.float32),
    )


def no_history(_: str) -> Mapping[str, list[float]]:
    """Return a learning curve that stands in for any."""
    return defaultdict(lambda: [0.0] * 100)


def verify(
    options: Mapping[str, str | None],
    *,
    offline: bool,
    models: Sequence[str] = (),
    junit: Path | None = None,
    output: IO[str] | None = None,
) -> tuple[Results, int]:
    """Run the claims' specs, and return the results and the exit code.

    `models` are architectures of your own, as `family=module:function`. `junit` is the file that gets
    pytest's own report, in a folder that was checked. pytest writes to `output`, by default standard
    error. Paths are relative to the current folder, also where pytest runs in another. Raises
    MnistRobustError, with the exit code, if pytest ran no claim, and before pytest where the data or
    the evidence cannot be used.
    """
    root, data, chosen = find_suite(), options.get("--data"), options.get("--evidence")
    if data not in {None, *_SETS} or chosen not in {None, NONE}:
        load(decide(data, offline=offline).name, chosen)
    options, variables = placed(options), placed(os.environ)
    with tempfile.TemporaryDirectory(prefix="mnistrobust-", ignore_cleanup_errors=True) as folder:
        target, cases = Path(folder) / "results.json", Path(folder) / "junit.xml"
        arguments = [str(_SPECS), "-n", "auto", "--results", str(target), "--junitxml", str(cases)]
        # without -c, pytest would look for a configuration above the store; a wheel may be read-only
        # no spec of ours is asynchronous, and pytest-asyncio has a warning for each run
        arguments += ["-c", "pyproject.toml", "-p", "no:cacheprovider", "-p", "no:asyncio"]
        for name, value in (*options.items(), *(("--model", model) for model in models)):
            arguments += [] if value is None else [name, value]
        try:
            "".join(arguments).encode()
        except UnicodeEncodeError as error:
            raise UsageError("pytest takes names of files in UTF-8: rename what is not.") from error
        arguments += ["--offline"] if offline else []
        # Files that pytest leaves behind when it is killed are removed with our folder.
        environment = {**variables, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)}
        if models:  # the folder of the reader's modules
            paths = [str(Path.cwd()), *filter(None, [variables.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        code = run_pytest(arguments, root, output=output or sys.stderr, environment=environment)
        results = Results.from_json(target.read_text("utf-8")) if target.exists() else None
        try:  # pytest itself would end with a traceback
            if junit and cases.exists():
                write_whole(junit, cases.read_bytes())
        except OSError as error:
            raise UsageError(f"--report {junit}: {error.strerror}; name another folder.") from error
    if not (results and results.outcomes):
        if code == DataError.exit_code:  # or pytest broke down, which has the same code
            decide(data, offline=offline)
        kinds = {0: MnistRobustError, 1: MnistRobustError}
        raise kinds.get(code, UsageError)("No claim was judged: see what pytest says above.")
    return results, code if code in {0, 1} else UsageError.exit_code


def placed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options or variables whose paths do not depend on the current folder, for pytest in another."""
    found = dict(values)
    for name in _PLACES.keys() & found.keys():
        if found[name] and found[name] not in _PLACES[name]:
            found[name] = str(absolute(found[name]))
    if modules := found.get("PYTHONPATH"):
        places = [str(Path(each).absolute()) for each in modules.split(os.pathsep)]
        found["PYTHONPATH"] = os.pathsep.join(places)
    return found


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start meanwhile never hear of it unless they unblock it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return (yield)
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def run_pytest(
    arguments: Sequence[str],
    folder: Path,
    *,
    output: IO[str],
    environment: Mapping[str, str],
    seconds: float | None = None,
    apart: bool = False,
) -> int:
    """Run pytest in a subprocess that ends with this process, and return its exit code.

    It runs in `folder` and writes to `output`, a file with a descriptor. With `apart`, the
    terminal's interrupts do not reach it. Raises subprocess.TimeoutExpired after `seconds`.
    """
    with contextlib.ExitStack() as blocked:
        blocked.enter_context(interrupts_blocked())
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _LEASH, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=apart,
        ) as process:
            try:
                blocked.close()
                return process.wait(seconds)
            except BaseException as error:
                # A terminal interrupts pytest too, and it ends by itself.
                wait = _END_SECONDS if isinstance(error, KeyboardInterrupt) and not apart else 0.0
                for end in (process.poll, process.terminate, process.kill):
                    end()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(wait)
                raise


def check_target(report: Path) -> None:
    """Make the report's folder before a long run; raise UsageError if no file can be made in it."""
    try:
        report.mkdir(parents=True, exist_ok=True)
        for each in report.iterdir():
            regular(each)
    except OSError as error:
        where = error.filename or report
        # a file, or a pipe, in the folder's place is said to exist
        why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"--report {where}: {why}; name another folder.") from error


def read_results(path: Path) -> Results:
    """Return the results that an earlier run wrote; raise UsageError for any other file."""
    try:
        results = Results.from_json(regular(path).read_bytes())
        if not results.outcomes:
            raise ValueError("it has no claim")
        for outcome in results.outcomes:
            for name in outcome.figures:
                claim_named(outcome.id).quantity(name)
    except OSError as error:
        raise UsageError(
            f"--results {path}: {error.strerror}; run 'mnistrobust verify' first."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--results {path}: expected what verify wrote, which is text.") from error
    except (ValueError, UsageError) as error:
        raise UsageError(f"--results {path}: expected what verify wrote ({error}).") from error
    return results
