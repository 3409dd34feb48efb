"""What the scripts share: options, progress, the head of results, errors in one line."""

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from mnistrobust.data import decide
from mnistrobust.errors import MnistRobustError, say
from mnistrobust.replicates.many import machine
from specs.benchmarks import speed


def parser(description):
    """Return a parser with the options that both benchmarks take."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument(
        "--data",
        default=os.environ.get("MNISTROBUST_DATA", "auto"),
        metavar="auto|mnist5k|PATH",
        help="data set: an .npz, a folder of IDX files, mnist5k, or auto",
    )
    options.add_argument("--offline", action="store_true", help="never download the data set")
    options.add_argument("--quick", action="store_true", help="show that it runs; rough figures")
    options.add_argument("--json", action="store_true", help="print JSON")
    return options


def run(options, measure, packages=()):
    """Print what `measure(arguments, source)` returns, under a head; end at an error.

    The head has the versions of these packages as well.
    """
    arguments = options.parse_args()
    try:
        source = decide(arguments.data, offline=arguments.offline)
        say(f"data: {source}")
        results = measure(arguments, source)
    except MnistRobustError as error:
        say(error)
        sys.exit(error.exit_code)
    names = sorted({"keras", "mnistrobust", "numba", "numpy", "tensorflow", *packages})
    versions = {name: version(name) for name in names}
    head = {
        "command": command_line(sys.argv),
        "data": source.name,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions},
        "quick": arguments.quick,
    }
    if arguments.json:
        sys.stdout.write(json.dumps(head | results, indent=1) + "\n")
    else:
        Console().print(Markdown(speed.markdown(head | results)))


def command_line(words):
    """Return a command as it is printed with figures; any path of this machine is just PATH."""
    script, *arguments = words
    shown = ["PATH" if os.sep in word else word for word in arguments]
    return " ".join(["python", f"specs/benchmarks/{Path(script).name}", *shown])
