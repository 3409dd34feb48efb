"""Processes and their children, as psutil sees them."""

import time

import pytest

PATIENCE = 300  # seconds for what takes a few: other machines are slower, and busy


def psutil():
    """Return the package; without it, which only the dev extra installs, the spec is skipped."""
    return pytest.importorskip("psutil", reason="psutil is missing: pip install -e '.[dev]'")


def wait_for(condition):
    """Return the first value of a condition that is true; it is asked again and again."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"nothing happened for {PATIENCE} s"
        time.sleep(0.02)
    return value


def children_of(pid, word="", *, recursive=True):
    """Return the running children of a process whose command line contains a word."""
    try:
        children = psutil().Process(pid).children(recursive=recursive)
    except psutil().NoSuchProcess:  # it ended by itself meanwhile
        return []
    return [each for each in children if word in command_of(each)]


def command_of(process):
    """Return the command line of a process, and "" where it has ended since it was listed."""
    try:
        return " ".join(process.cmdline())
    except (psutil().NoSuchProcess, psutil().AccessDenied):  # a zombie is the former
        return ""


def kill_all(processes):
    """Kill processes; those that have ended since they were listed are done already."""
    for each in processes:
        try:
            each.kill()
        except psutil().NoSuchProcess:
            continue
