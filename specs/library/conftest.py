"""What the library's specs share: the embedded data, one warm store, and the command."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from mnistrobust import data
from mnistrobust.checks import session
from mnistrobust.cli import app
from mnistrobust.data import download
from mnistrobust.fuzzing import targets
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.schedule import work
from specs.helpers import ROOT
from specs.helpers.processes import PATIENCE

RECIPE = "ann_1000"
CONDITIONS = ("clean", "offset-noise", "pure-noise")
# The checks' inputs are the same in every run (a spec says so), and take longer than most models.
session.inputs_named = targets.inputs_named = cache(session.inputs_named)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self):
        """Its last line on standard error, where nothing there is a traceback."""
        assert "Traceback" not in self.err
        return self.err.splitlines()[-1] if self.err else ""


@pytest.fixture(scope="session")
def mnist5k():
    """The embedded data set."""
    return data.load(data.decide("mnist5k"))


@pytest.fixture(scope="session")
def rehearsal(settings, mnist5k):
    """The replicate of seed 0 on mnist5k, in the run's store, with `ann_1000` trained and read."""
    replicate = Replicate(0, mnist5k.source, settings.store)
    work(replicate, [replicate.task(RECIPE, CONDITIONS)])
    for condition in CONDITIONS:
        replicate.evaluate(RECIPE, on=condition)
    return Replicate(0, mnist5k.source, settings.store)


@pytest.fixture
def surroundings(monkeypatch):
    """No variable of the caller's decides anything."""
    for name in ("MNISTROBUST_DATA", "MNISTROBUST_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return monkeypatch


@pytest.fixture
def command(surroundings, capsys):
    """Run a command in this process: `command("evaluate", "ann", "--on", "clean")`."""

    def run(*arguments):
        surroundings.setattr(sys, "argv", ["mnistrobust", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capsys.readouterr()
        return Ended(ended.value.code, out, err)

    return run


@pytest.fixture
def here(rehearsal):
    """The options that name the embedded data and the warm store."""
    return ("--data", "mnist5k", "--store", str(rehearsal.store.root))


@pytest.fixture
def interruptible():
    """Let what a spec starts hear Ctrl-C.

    A suite in the background ignores it, a worker blocks it, and both pass that on.
    """
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    signal.signal(signal.SIGINT, kept)


@pytest.fixture
def process(surroundings):
    """Run a command in a process of its own, of this tree, for at most five minutes."""

    surroundings.setenv("PYTHONPATH", str(ROOT))
    surroundings.setenv("PYTHONIOENCODING", "utf-8")

    def run(*arguments, cwd=None, program=("-m", "mnistrobust"), **options):
        ended = subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=cwd or ROOT,
            check=False,
            encoding="utf-8",
            timeout=PATIENCE,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


class Home:
    """Empty cache folders of ours and of Keras, and nothing to download from."""

    def __init__(self, folder):
        self.cache = folder / "cache"
        self.own = self.cache / "data" / "mnist.npz"
        self.stamp = self.cache / "data" / "download-failed"
        self.keras = folder / "keras" / "datasets" / "mnist.npz"
        for path in (self.own, self.keras):
            path.parent.mkdir(parents=True)


@pytest.fixture
def home(tmp_path, surroundings):
    found = Home(tmp_path)
    surroundings.setenv("MNISTROBUST_CACHE", str(found.cache))
    surroundings.setenv("KERAS_HOME", str(tmp_path / "keras"))
    surroundings.setattr(download, "URL", "http://127.0.0.1:9/mnist.npz")
    return found


@pytest.fixture(scope="session")
def archive(mnist5k, tmp_path_factory):
    """A file that holds the images of mnist5k."""
    path = tmp_path_factory.mktemp("archive") / "mnist.npz"
    np.savez(path, **mnist5k.arrays)
    return path
