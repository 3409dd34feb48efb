"""Colours are for terminals, and nothing is said by colour alone."""

import os
import re
import subprocess
import sys
import time

import pytest

from mnistrobust.registry import load_claims

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals of this kind")

COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-7]")

pytestmark = pytest.mark.slow  # each runs a command


@pytest.fixture
def terminal(surroundings):
    """Run a command in a terminal, and return the bytes that it shows."""

    def run(*arguments, **variables):
        for name, value in {"TERM": "xterm-256color", **variables}.items():
            surroundings.setenv(name, value)
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "mnistrobust", *map(str, arguments)]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown, until = b"", time.monotonic() + 120
            while time.monotonic() < until:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # how Linux says that the other end is closed
                    break
                if not part:
                    break
                shown += part
        os.close(ours)
        assert process.returncode == 0, shown
        return shown

    return run


@pytest.fixture
def verdicts(tmp_path):
    """A file of evidence that reproduces a claim and refutes another."""
    from specs.helpers.synthetic import FIVES, WINS, evidence, measured, spread, written

    found = {WINS: measured(spread(0.2, 0.01)), FIVES: measured(spread(-0.4, 0.01))}
    return written(evidence(found), tmp_path)


def test_a_terminal_has_colours_unless_they_are_not_wanted(terminal, verdicts):
    """Green and red for verdicts; none with NO_COLOR, where the words say the same."""
    command = ("claims", "--data", "mnist5k", "--evidence", verdicts)

    coloured = terminal(*command)
    plain = terminal(*command, NO_COLOR="1")

    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    for word in (b"reproduced", b"refuted"):
        assert word in plain


def test_a_pipe_has_none(process, verdicts, surroundings):
    """Not a single escape sequence, whatever TERM says."""
    surroundings.setenv("TERM", "xterm-256color")

    ended = process("claims", "--data", "mnist5k", "--evidence", verdicts)

    assert (ended.code, "\x1b" in ended.out + ended.err) == (0, False)
    assert "refuted (1)\n✗ ann.noisy_plus_noise_predicts_five " in ended.out


@pytest.mark.parametrize("columns", ["80", "200"])
def test_tables_fit_the_terminal(columns, terminal, verdicts):
    """No line is wider, with every claim's whole id."""
    shown = terminal(
        "claims", "--data", "mnist5k", "--evidence", verdicts, COLUMNS=columns, NO_COLOR="1"
    )

    lines = re.sub(rb"\x1b\[[0-9;]*m", b"", shown).decode().splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert len(load_claims()) < len(lines) <= len(load_claims()) + 13


def test_help_is_quick(process):
    """Under half a second of processor time, by the median of five."""
    program = (
        "import resource, subprocess, sys\n"
        "times = []\n"
        "for _ in range(5):\n"
        "    before = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "    subprocess.run([sys.executable, '-m', 'mnistrobust', '--help'], check=True,\n"
        "                   stdout=subprocess.DEVNULL)\n"
        "    after = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "    times.append(sum(after[:2]) - sum(before[:2]))\n"
        "print(sorted(times)[2])"
    )

    assert float(process(program=("-c", program)).out) < 0.5
