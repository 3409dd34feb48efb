"""The command `mnistrobust`: results on standard output, everything else on standard error."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import typer

from mnistrobust.bench.command import bench
from mnistrobust.commands.baselines import baseline_app
from mnistrobust.commands.battery import check, export_views
from mnistrobust.commands.judging import claims, evidence, questions, report, verify
from mnistrobust.commands.mutating import mutants
from mnistrobust.commands.networks import measure, show, train
from mnistrobust.commands.replicating import replicate
from mnistrobust.commands.storing import data_command, store_app
from mnistrobust.errors import MnistRobustError, say, say_warnings

app = typer.Typer(
    help="Test what a research document claims about MNIST classifiers.",
    epilog="Results go to standard output, everything else to standard error. "
    "Exit codes: 0 as expected, 1 a claim or check failed, 2 wrong usage, 3 no usable data.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    verify,
    report,
    claims,
    questions,
    evidence,
    replicate,
    mutants,
    measure,
    train,
    show,
    check,
):
    app.command()(command)
app.command(short_help="Compare our training with plain Keras, PyTorch and JAX.")(bench)
app.command(name="export-views")(export_views)
app.command(name="data")(data_command)
app.add_typer(store_app, name="store", invoke_without_command=True)
app.add_typer(baseline_app, name="baseline", invoke_without_command=True)

_INTERRUPTED = 130
_WrongUsageError: Any = typer.BadParameter.__base__  # click's own, wherever typer keeps it


def main() -> None:
    """Run the command; errors and warnings are one line on standard error."""
    say_warnings()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our quotation marks
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="mnistrobust", standalone_mode=False)
        sys.stdout.flush()
    except MnistRobustError as error:
        say(error)
        return error.exit_code
    except _WrongUsageError as error:
        command = error.ctx.command_path if error.ctx else "mnistrobust"
        message = error.format_message()
        stop = "" if message.endswith((".", "?")) else "."
        say(f"{message}{stop} See '{command} --help'.")
        return 2
    except typer.Abort:
        say("Aborted: nothing is changed.")
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            say(f"{error.filename or 'standard output'}: {error.strerror or error}.")
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        say("Interrupted. What is finished is kept: run the same command to go on.")
    return code or 0
