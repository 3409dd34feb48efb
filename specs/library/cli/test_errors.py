"""Every error of a command is one line on standard error: the cause, and what to do."""

import errno
import os
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures import settings
from mnistrobust import cli
from mnistrobust.data import Source
from mnistrobust.errors import cause, inert


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("evaluate", "ann_nosy", "--on", "clean"), 2, "Unknown recipe 'ann_nosy': did you mean 'ann_noisy'?"),
        (("evaluate", "ann", "--on", "claen"), 2, "Unknown condition 'claen': did you mean 'clean'?"),
        (("evaluate", "ann", "--on", "q"), 2, "Unknown condition 'q': nearest are: "),
        (("train", "ann", "rnn_noisi"), 2, "Unknown recipe 'rnn_noisi': did you mean 'rnn_noisy'?"),
        (("show", "an", "--on", "clean"), 2, "Unknown recipe 'an': did you mean"),
        (("claims", "ann.ofset_noise_hurts"), 2, "did you mean 'ann.offset_noise_hurts'?"),
        (("trian",), 2, "No such command 'trian'. Did you mean 'train'? See 'mnistrobust --help'."),
        (("store", "vrify"), 2, "See 'mnistrobust store --help'."),
        (("evaluate", "ann"), 2, "Missing option '--on'. A condition, or a perturbation at a dose, such as rotate:15; 'mnistrobust recipes' and 'mnistrobust perturbations' list them. See 'mnistrobust evaluate --help'."),
        (("evaluate",), 2, "Missing"),
        (("evaluate", "ann", "rnn", "--on", "clean"), 2, "(rnn). See 'mnistrobust evaluate --help'."),
        (("train", "--seed", "-1"), 2, "--seed"),
        (("train", "--seed", "one"), 2, "--seed"),
        (("train", "--workers", "0"), 2, "--workers"),
        (("train", "--fast"), 2, "No such option: --fast"),
        (("verify", "--seeds", "0"), 2, "--seeds 0: expected a number of fresh seeds from 1"),
        (("verify", "--seeds", "5-4"), 2, "--seeds 5-4: expected"),
        (("verify", "--seeds", "three"), 2, "--seeds three: expected"),
        (("report", "--results", "/no/where"), 2, "--results /no/where: No such file or directory; run 'mnistrobust verify' first."),
        (("report", "--results", __file__), 2, "expected what verify wrote"),
        (("replicate",), 2, "Missing option '--seeds'"),
        (("replicate", "--seeds", "1"), 2, "--seeds"),
        (("replicate", "--seeds", "2", "--data", "mnist5k", "--output", "/no/where"), 2, "--output /no/where: expected a file"),
        (("replicate", "--seeds", "2", "--data", "mnist5k", "--backend", "spark"), 2, "--backend spark: expected one of threading"),
        (("replicate", "--seeds", "2", "--backend", "dask", "--scheduler", "tcp://a:1", "--workers", "3"), 2, "--workers 3: leave it out with --backend dask, "),
        (("perturbations", "--picture", "x.txt"), 2, "--picture x.txt: expected a picture, as x.png"),
        (("sweep", "ann", "--backend", "loky"), 2, "--backend loky: expected one of dask."),
        (("sweep", "ann", "--scheduler", "tcp://a:1"), 2, "--scheduler tcp://a:1: it is for --backend dask."),
        (("compare", "ann", "rnn", "--backend", "dask", "--scheduler", "tcp://a:1"), 2, "it needs --seeds K."),
        (("compare", "ann", "m:train", "--seeds", "2", "--backend", "dask", "--scheduler", "tcp://a:1"), 2, "it trains networks of recipes"),
        (("sweep", "ann", "--backend", "dask"), 2, "--backend dask: name the scheduler with --scheduler"),
        (("claims", "--evidence", "/no/where"), 2, "--evidence /no/where: No such file"),
        (("data", "--data", "/nowhere.npz"), 3, "--data /nowhere.npz: No such file or folder: /nowhere.npz; expected an .npz"),
        (("evaluate", "ann", "--on", "clean", "--data", "/nowhere.npz"), 3, "No such file or folder"),
        (("train", "ann", "--data", "/nowhere.npz"), 3, "No such file or folder"),
        (("show", "ann", "--on", "clean", "--data", "/nowhere.npz"), 3, "No such file or folder"),
        (("store", "--store", __file__), 2, "expected a folder, found a file; name another path."),
        (("train", "ann", "--store", __file__), 2, "expected a folder, found a file"),
        (("evaluate", "ann", "--on", "clean", "--store", __file__), 2, "expected a folder"),
        (("show", "ann", "--on", "clean", "--output", "/no/where/x.png"), 2, "--output /no/where/x.png: expected a file in an existing folder; make it."),
        (("show", "ann", "--on", "clean", "--output", "/"), 2, "--output /: it is a folder; expected a file."),
        (("replicate", "--seeds", "10001", "--output", "x.json"), 2, "10000"),
        (("curves", "--seeds", "10001", "--output", "x.json"), 2, "10000"),
        (("sweep", "ann", "--seeds", "10001"), 2, "10000"),
        (("compare", "ann", "cnn", "--seeds", "10001"), 2, "10000"),
        (("check", "m:p", "--seconds", "inf"), 2, "inf is not in the range 1<=x<=1000000"),
        (("fuzz", "m:p", "--seconds", "1e7"), 2, "1e+07 is not in the range 1<=x<=1000000"),
        (("fuzz", "m:p", "--seconds", "nan"), 2, "Invalid value for '--seconds'"),
        (("check", "m:p", "--pixels", "0..1e39"), 2, "--pixels 0..1e39: expected NONE..FULL"),
        (("check", "m:p", "--pixels", "0..nan"), 2, "--pixels 0..nan: expected NONE..FULL"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_wrong_call_is_one_line(arguments, code, line, command):
    """Nothing is printed as data, and the line names the mistake and the remedy."""
    ended = command(*arguments)

    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.splitlines()) == 1
    assert ended.error.startswith("mnistrobust: ")
    assert line.replace("/", os.sep if os.name == "nt" else "/") in ended.error


ESCAPES = "\x1b[31mred\x1b]0;title\x07\r\u202e"
MARKUP = "[red]name[/red] [link=http://x]"


@pytest.mark.parametrize("name", [ESCAPES, MARKUP, "two\nlines", "\udcff", "%s {0}"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{}", "--on", "clean"),
        ("evaluate", "ann", "--on", "{}"),
        ("train", "{}"),
        ("claims", "{}"),
        ("{}",),
        ("train", "--{}"),
        ("train", "--seed", "{}"),
        ("data", "--data", "{}"),
        ("store", "--store", "{}/x"),
    ],
    ids=" ".join,
)
def test_names_come_out_inert(arguments, name, command, tmp_path, surroundings):
    """Escape sequences and markup in a name are shown as text, on one line."""
    surroundings.chdir(tmp_path)

    ended = command(*(each.replace("{}", name) for each in arguments))

    for text in (ended.out, ended.err):
        assert "\x1b" not in text
        assert all(inert(line) == line for line in text.splitlines())
    assert "Traceback" not in ended.err
    if name == MARKUP and arguments[0] != "train":
        assert "[red]" in ended.out + ended.err


def test_names_in_the_header_of_pytest_come_out_inert():
    """The paths of data and store are a user's."""
    source = Source(name="mnist", digest="0" * 64, path="/\x1b[31mdata.npz", why="as asked for")
    found = settings.Settings(
        source=source, store_root="/\x1b[31mstore", board_folder="", seeds=(0,), evidence_from="none"
    )  # fmt: skip
    config = SimpleNamespace(stash={settings._settings: found}, getoption=lambda _: "")

    header = "\n".join(settings.pytest_report_header(config))

    assert "\x1b" not in header
    assert "/\\x1b[31mdata.npz" in header
    assert "/\\x1b[31mstore" in header


def test_file_names_in_a_store_come_out_inert(command, tmp_path):
    """A file's name cannot write to the terminal."""
    folder = tmp_path / "[red]" / "models"
    folder.mkdir(parents=True)
    name = f"[31m[bold]x-{'0' * 20}.entry"
    try:
        (folder / f"\x1b{name}").write_bytes(b"")
    except OSError:
        pytest.skip("this file system has no such names")

    listed = command("store", "--store", folder.parent)

    assert "\x1b" not in listed.out
    assert f"\\x1b{name}" in listed.out
    assert "[red]" in listed.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_an_output_that_is_a_pipe_is_refused_before_a_long_run(command, tmp_path):
    """It would wait for a reader at the end."""
    os.mkfifo(tmp_path / "pipe")
    ended = command("curves", "--data", "mnist5k", "--output", tmp_path / "pipe")

    assert (ended.code, ended.out) == (2, "")
    assert ended.error.endswith("pipe: not a regular file; name another file.")


def test_an_interrupt_while_a_command_is_imported_has_its_code(monkeypatch):
    """No traceback; else the command runs, and draws to files whatever matplotlib's variable says."""
    ran = []
    monkeypatch.setenv("MPLBACKEND", "a screen of one's own")
    monkeypatch.setattr(cli.app, "main", lambda: ran.append(True))
    cli.main()

    assert ran
    assert os.environ["MPLBACKEND"] == "agg"
    ignored = []
    monkeypatch.setattr(signal, "signal", lambda *handler: ignored.append(handler))
    for ended, code, times in (
        (KeyboardInterrupt(), 130, 1),
        (SystemExit(130), 130, 2),  # said already
        (SystemExit(1), 1, 2),
    ):
        monkeypatch.setattr(cli.app, "main", lambda ended=ended: (_ for _ in ()).throw(ended))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == code
        assert ignored == [(signal.SIGINT, signal.SIG_IGN)] * times, "a second one at the exit"


def test_an_interrupted_check_keeps_nothing(command, surroundings):
    """It starts anew, whatever other commands keep."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    surroundings.setattr("mnistrobust.checks.opening.check_given", interrupt)
    ended = command("check", "m:predict")

    assert (ended.code, ended.error) == (130, "mnistrobust: Interrupted.")


def test_a_warning_in_a_command_is_one_line(command, surroundings, capsys):
    """Without the line of code it comes from."""
    surroundings.setattr(warnings, "showwarning", None)
    command("--version")

    warnings.showwarning("two\nlines", UserWarning, "file.py", 1)

    assert capsys.readouterr().err == "mnistrobust: two lines\n"


@pytest.mark.parametrize("arguments", [("mutants",), ("replicate", "--seeds", 2)], ids=str)
def test_what_needs_a_clone_says_so(arguments, command, tmp_path, surroundings):
    """Mistakes go into a copy of a clone, and evidence into the clone; nothing is written."""
    surroundings.chdir(tmp_path)
    surroundings.setattr("mnistrobust.suite.suite_root", lambda: tmp_path / "_suite")

    ended = command(*arguments, "--store", tmp_path / "store")

    assert (ended.code, ended.out) == (2, "")
    assert ended.error.endswith("needs a clone of this project: change to its folder first.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("--data", "/nowhere.npz"), 3, "No such file or folder"),
        (("--store", __file__), 2, "expected a folder, found a file"),
        (("--report", __file__), 2, "name another folder"),
        (("--results", "/no/where.json"), 2, "expected a file in an existing folder"),
        (("--data", "mnist5k", "--evidence", "/no/where.json"), 2, "name a file, or none"),
    ],
)
def test_verify_checks_its_options_before_a_long_run(
    arguments, code, line, command, tmp_path, surroundings
):
    """A wrong path is one line, before pytest starts."""
    (tmp_path / "specs" / "claims").mkdir(parents=True)
    (tmp_path / "conftest.py").write_text("raise SystemError")
    surroundings.chdir(tmp_path)

    ended = command("verify", *arguments)

    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.splitlines()) == 1
    assert line in ended.error


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("claims", "--json"), ("claims",), ("store",)], ids=" ".join)
@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way on Windows")
def test_a_reader_that_leaves_is_no_error(arguments, surroundings):
    """`mnistrobust claims | head -1` ends quietly, as other programs do."""
    surroundings.setenv("PYTHONUNBUFFERED", "1")
    command = [sys.executable, "-m", "mnistrobust", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as running:
        running.stdout.close()
        err = running.stderr.read()
        running.wait(timeout=60)

    assert err == b""
    assert running.returncode == 141, "as of SIGPIPE: 1 would be a check that fails"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
def test_a_full_disk_under_the_output_is_one_line(process):
    """Standard output that cannot be written is an error, without a traceback."""
    with Path("/dev/full").open("w") as full:
        ended = process("claims", "--json", stdout=full)

    assert ended.code == 1
    assert ended.err == "mnistrobust: standard output: No space left on device.\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        (("perturbations", "blur", "--picture", "blur.png", "--json", "--data", "mnist5k"), 0, '"blur"'),
        (("claims", "ann.ofset_noise_hurts"), 2, ""),
    ],
    ids=["a result", "wrong usage"],
)  # fmt: skip
def test_results_do_not_depend_on_where_messages_go(
    arguments, code, printed, process, surroundings, tmp_path
):
    """Standard error is full, and the user's matplotlib draws to a screen that does not exist."""
    surroundings.setenv("MPLBACKEND", "a screen of one's own")
    with Path("/dev/full").open("w") as full:
        ended = process(*arguments, stderr=full, cwd=tmp_path)

    assert ended.code == code
    assert printed in ended.out
    assert (tmp_path / "blur.png").exists() == (not code)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
def test_a_message_that_cannot_be_written_is_lost(monkeypatch):
    """Alone: whoever wrote it goes on. Every message of a command is written so."""
    streams = []
    monkeypatch.setenv("MPLBACKEND", "")
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    monkeypatch.setattr(cli.app, "main", lambda: streams.append(sys.stderr.buffer.raw))
    cli.main()

    assert [type(each) for each in streams] == [cli._Messages]
    with cli._Messages("/dev/full", "w") as messages:
        assert messages.write(b"12345") == 5


@pytest.mark.slow
def test_a_terminal_without_our_characters_is_no_error(process, surroundings):
    """Where the output's encoding lacks a character, it is spelled out."""
    surroundings.setenv("PYTHONIOENCODING", "ascii")

    ended = process("claims", "ann.offset_noise_hurts")

    assert (ended.code, ended.err) == (0, "")
    assert "\\u201c" in ended.out


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("Could not load a library"), "Could not load a library."),
        (OSError(errno.ENOSPC, "No space left on device"), "standard output: No space left on device."),
        (OSError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied."),
        (OSError(errno.ENOENT, "No such file or directory"), "the current folder: No such file or directory."),
        (MemoryError(), "The memory is exhausted: MemoryError; close other programs."),
        (MemoryError("1 GiB"), "The memory is exhausted: 1 GiB; close other programs."),
    ],
    ids=repr,
)  # fmt: skip
def test_what_the_system_refuses_is_one_line(error, said, surroundings, capsys):
    """It names the file, or standard output where nothing could be written, and nothing else."""
    surroundings.setattr(cli.app, "_command", lambda: lambda *_, **__: (_ for _ in ()).throw(error))
    surroundings.setattr(os, "dup2", lambda *_: None)
    surroundings.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: 1))

    assert cli.app._run() == 1
    assert capsys.readouterr().err == f"mnistrobust: {said}\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "No such file or directory"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ValueError("it is no array"), "it is no array"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=repr,
)
def test_a_cause_is_told_in_words(error, said):
    """Without the operating system's number, and never as nothing."""
    assert cause(error) == said
