"""The command `mnistrobust`: results on standard output, everything else on standard error."""

import errno
import functools
import io
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistrobust.cli.baseline import baseline_app
from mnistrobust.cli.check import check, export_inputs
from mnistrobust.cli.compare import compare
from mnistrobust.cli.curves import curves
from mnistrobust.cli.fuzz import fuzz
from mnistrobust.cli.judging import claims, evidence, report, verify
from mnistrobust.cli.mutants import mutants
from mnistrobust.cli.networks import evaluate, recipes, show, train
from mnistrobust.cli.options import command
from mnistrobust.cli.perturbations import perturbations
from mnistrobust.cli.replicate import replicate
from mnistrobust.cli.store import data_command, store_app
from mnistrobust.cli.sweep import sweep
from mnistrobust.errors import MnistRobustError, cause, say, say_warnings

app = typer.Typer(
    help="Test what a research document claims about MNIST classifiers.",
    epilog="Results go to standard output, everything else to standard error. "
    "Exit codes: 0 as expected, 1 a failure or something worse, 2 wrong usage, 3 no usable data.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for function, example in (
    (verify, "verify --data mnist5k"),
    (report, "report --results report/results.json"),
    (claims, "claims ann.offset_noise_hurts"),
    (evidence, "evidence --data mnist5k"),
    (replicate, "replicate --seeds 24 --output evidence.json"),
    (curves, "curves --seeds 8"),
    (mutants, "mutants --list"),
    (recipes, "recipes --json"),
    (evaluate, "evaluate ann --on offset-noise"),
    (train, "train ann cnn --seed 1"),
    (show, "show cnn --on inverted --output cnn.png"),
    (perturbations, "perturbations rotate --picture rotated.png"),
    (check, "check my_model:predict"),
    (export_inputs, "export-inputs inputs"),
    (compare, "compare old.onnx my_model:predict"),
    (fuzz, "fuzz my_model:predict --seconds 20"),
    (sweep, "sweep ann cnn --over rotate --picture rotate.png"),
    (data_command, "data --retry"),
):
    app.command(example.split()[0], **command(example))(function)
app.add_typer(store_app, name="store", invoke_without_command=True)
app.add_typer(baseline_app, name="baseline", invoke_without_command=True)


@app.callback(invoke_without_command=True)
def about(
    shown: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Test what a research document claims about MNIST classifiers."""
    if shown:
        typer.echo(f"mnistrobust {version('mnistrobust')}")
        raise typer.Exit


_UNWRITTEN = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)
_WHERE: dict[int | None, str] = {  # of an error that names no file
    **dict.fromkeys(_UNWRITTEN, "standard output"),
    errno.ENOENT: "the current folder",  # which was removed
}
_KEPT = " What is finished is kept: run the same command to go on."
_INTERRUPTED = 130
_NOBODY_READS = 141  # as a shell says of SIGPIPE; 1 would be a check that fails
_WrongUsageError: Any = typer.BadParameter.__base__  # click's own, wherever typer keeps it


def main() -> None:
    """Run the command; errors and warnings are one line on standard error."""
    say_warnings()
    if not os.environ.get("COLUMNS", "").strip("0"):
        os.environ.pop("COLUMNS", None)  # a width of 0, where Rich would print nothing
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our quotation marks
    sys.exit(_run())


@functools.cache
def _command() -> Any:
    return typer.main.get_command(app)


def _failed(error: OSError | MemoryError) -> int:
    if isinstance(error, MemoryError):
        say(f"The memory is exhausted: {cause(error)}; close other programs.")
        return 1
    # What is still buffered would fail again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return _NOBODY_READS
    where = error.filename or _WHERE.get(error.errno, "")
    say(": ".join(filter(None, [str(where), f"{cause(error)}."])))
    return 1


def _run() -> int:
    try:
        code = _command()(
            sys.argv[1:] or ["--help"], prog_name="mnistrobust", standalone_mode=False
        )
        sys.stdout.flush()
    except MnistRobustError as error:
        say(error)
        return error.exit_code
    except _WrongUsageError as error:
        command = error.ctx.command_path if error.ctx else "mnistrobust"
        message = error.format_message()
        if message.startswith("Missing option"):
            message = f"{message.rstrip('.')}. {error.param.help}"
        stop = "" if message.endswith((".", "?")) else "."
        say(f"{message}{stop} See '{command} --help'.")
        return 2
    except typer.Abort:
        say("Aborted: nothing is changed.")
        return 1
    except (OSError, MemoryError) as error:
        return _failed(error)
    except SystemExit as ended:  # click's, after completion, and where a pipe breaks on the way
        code = _NOBODY_READS if isinstance(ended.__context__, BrokenPipeError) else ended.code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        kept = "" if sys.argv[1:2] == ["check"] else _KEPT
        say(f"Interrupted.{kept}")
    return code or 0
