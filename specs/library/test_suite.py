"""What a claim's spec evaluates, before anything is trained; and how a run of the specs ends."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest

from mnistrobust import suite
from mnistrobust.errors import DataError, MnistRobustError, UsageError
from mnistrobust.registry import load_claims
from mnistrobust.suite import evaluated_by, measured_on
from specs.claims import test_ann, test_cnn, test_rnn
from specs.helpers.reports import run
from specs.helpers.synthetic import WINS, evidence, measured, written

MODULES = {"ann": test_ann, "rnn": test_rnn, "cnn": test_cnn}


def of_two(claim, evaluate):
    clean = evaluate("ann", on="clean")
    claim.figures(accuracy=clean.accuracy)
    evaluate("cnn", on="inverted"), evaluate("ann", on="inverted"), evaluate("ann", on="clean")


def of_none(evaluate):
    evaluate("ann", on="clean")


def of_a_curve(claim, history):
    claim.figures(last=history("rnn")["val_accuracy"][9])


def that_fails(claim, evaluate):
    evaluate("ann", on="clean")
    claim.no_such_method()


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        (of_two, {"ann": ("clean", "inverted"), "cnn": ("inverted",)}),
        (of_none, {}),
        (of_a_curve, {"rnn": ()}),
        (that_fails, {"ann": ("clean",)}),
    ],
)
def test_a_spec_says_what_it_evaluates(spec, needed):
    """Recipes and conditions come in the order of the calls, each once; nothing is trained."""
    assert evaluated_by(spec) == needed


def test_every_claims_spec_evaluates_something():
    """No spec of the suite breaks off at its stand-ins before it has named a recipe."""
    for claim in load_claims().values():
        spec = getattr(MODULES[claim.family], f"test_{claim.name}")
        assert evaluated_by(spec), claim.id


def test_every_claims_figure_is_measured_on_a_network_that_its_spec_evaluates():
    """And all of these networks have a figure."""
    for claim in load_claims().values():
        spec = getattr(MODULES[claim.family], f"test_{claim.name}")
        found = measured_on(spec)
        assert list(found) == list(claim.figures), claim.id
        assert set().union(*found.values()) == {*evaluated_by(spec)}, claim.id
        assert all(found.values()), claim.id


def test_figures_are_told_apart_by_their_networks():
    """Of two networks that a claim compares, and of a spec that fails on stand-ins what it reported."""

    def compares(claim, evaluate, history):
        one, other = evaluate("ann", on="clean"), evaluate("cnn", on="clean")
        claim.figures(ann=one.accuracy, both=one.accuracy - other.accuracy, no=0.5)
        claim.figures(curve=history("rnn")["accuracy"][-1])
        raise ValueError

    assert measured_on(compares) == {
        "ann": {"ann"}, "both": {"ann", "cnn"}, "no": set(), "curve": {"rnn"},
    }  # fmt: skip


def verified(ended, monkeypatch, *, outcomes=None, places=None, **options):
    """Verify with pytest noted, which ends with a code; return results, code, arguments."""
    noted = []

    def run_pytest(arguments, folder, **how):
        noted.extend(arguments)
        assert folder == suite.find_suite()
        noted.append(how["environment"])
        found = run() if outcomes is None else run(outcomes=outcomes)
        Path(arguments[arguments.index("--results") + 1]).write_text(found.to_json(), "utf-8")
        return ended

    monkeypatch.setattr(suite, "run_pytest", run_pytest)
    given = {"--data": "mnist5k", "--seeds": None, **(places or {})}
    return (*suite.verify(given, **options), noted)


@pytest.mark.parametrize(
    ("ended", "code"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2), (-9, 2)]
)
def test_a_run_ends_with_the_code_of_the_contract(ended, code, monkeypatch):
    """A failed claim is 1, and whatever else pytest says is wrong usage, its own failure included."""
    results, found, _ = verified(ended, monkeypatch, offline=False)

    assert found == code
    assert {each.id for each in results.outcomes} == {*load_claims()}


def test_a_name_that_is_no_text_is_refused_before_pytest():
    """Its workers could not be told of it."""
    with pytest.raises(UsageError, match="pytest takes names of files in UTF-8"):
        suite.verify({"--store": os.fsdecode(b"/d\xff")}, offline=True)


def test_a_run_without_data_says_so(monkeypatch):
    """Whatever pytest did with its code 3, which means an internal error, too."""
    absent = DataError("no data")
    monkeypatch.setattr(suite, "decide", lambda *_, **__: (_ for _ in ()).throw(absent))

    with pytest.raises(DataError, match="no data"):
        verified(3, monkeypatch, outcomes=(), offline=True)


@pytest.mark.parametrize(("ended", "code"), [(0, 1), (1, 1), (2, 2), (3, 2), (5, 2)])
def test_a_run_without_an_outcome_has_no_results(ended, code, monkeypatch):
    """Where no claim's spec ran, there is nothing to report on; the code says whose fault it is."""
    with pytest.raises(MnistRobustError, match="No claim was judged") as caught:
        verified(ended, monkeypatch, outcomes=(), offline=False)
    assert caught.value.exit_code == code


def test_a_run_passes_on_what_it_is_asked(monkeypatch):
    """Options with a value, `--offline` where it is given, and models, found in the working folder."""
    monkeypatch.setenv("PYTHONPATH", "theirs")
    *_, arguments = verified(0, monkeypatch, offline=False)
    assert arguments[0] == str(Path("specs") / "claims")
    assert ("--data", "mnist5k") in pairwise(arguments)
    environment = arguments.pop()
    assert not {"--offline", "--seeds", "--model"} & {*arguments}
    assert {("-c", "pyproject.toml"), ("-p", "no:cacheprovider"), ("-p", "no:asyncio")} < {
        *pairwise(arguments)
    }
    assert environment["PYTHONPATH"] == str(Path("theirs").absolute())
    assert environment["TMPDIR"] == environment["TMP"] != os.environ.get("TMPDIR")

    *_, arguments = verified(0, monkeypatch, offline=True, models=["ann=my:ann"])
    assert arguments.pop()["PYTHONPATH"] == os.pathsep.join(
        [str(Path.cwd()), str(Path("theirs").absolute())]
    )
    assert ("--model", "ann=my:ann") in pairwise(arguments)
    assert "--offline" in arguments


def test_pytests_report_is_written_at_the_end_or_one_line_says_why_not(tmp_path, monkeypatch):
    """pytest itself, on a full disk, ends with a traceback, and no claim is judged."""

    def run_pytest(arguments, *_, **__):
        paths = (arguments[arguments.index(name) + 1] for name in ("--results", "--junitxml"))
        for path, text in zip(paths, (run().to_json(), "<testsuites/>"), strict=True):
            Path(path).write_text(text, "utf-8")
        return 0

    monkeypatch.setattr(suite, "run_pytest", run_pytest)
    suite.verify({}, offline=True, junit=tmp_path / "junit.xml")
    assert (tmp_path / "junit.xml").read_text("utf-8") == "<testsuites/>"

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(suite, "write_whole", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(UsageError, match=r"--report .*: No space left on device; name another"):
        suite.verify({}, offline=True, junit=tmp_path / "junit.xml")


@pytest.mark.parametrize(
    ("places", "error"),
    [
        ({"--data": "/nowhere.npz"}, "--data /nowhere.npz: No such file"),
        ({"--evidence": "/no/where.json"}, "name a file, or none"),
        ({"--evidence": "of mnist"}, "holds evidence of mnist, and the data set is mnist5k"),
    ],
)
def test_data_and_evidence_are_read_before_pytest(places, error, monkeypatch, tmp_path):
    """What is wrong is one line, not a run of pytest and an error after it."""
    monkeypatch.setattr(suite, "run_pytest", lambda *_, **__: pytest.fail("pytest runs"))
    if "of" in places.get("--evidence", ""):
        known = evidence({WINS: measured([0.1, 0.2])}, dataset="mnist")
        places = {"--data": "mnist5k", "--evidence": str(written(known, tmp_path))}

    with pytest.raises(MnistRobustError, match=error):
        suite.verify(places, offline=True)


def test_a_chosen_evidence_is_of_the_set_that_is_chosen_without_an_option(monkeypatch, tmp_path):
    """Which `MNISTROBUST_DATA` may name: `auto` in its place would be another."""
    asked, file = [], str(written(evidence({WINS: measured([0.1, 0.2])}), tmp_path))
    monkeypatch.setattr(suite, "decide", lambda data, **_: asked.append(data) or run().source)
    places = {"--data": None, "--evidence": file}

    assert verified(0, monkeypatch, places=places, offline=True)[1] == 0
    assert asked == [None]


def test_paths_are_those_of_the_current_folder(tmp_path, monkeypatch):
    """pytest runs in the suite's folder; what is a word, or not given, stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DATA", "STORE", "CACHE"):
        monkeypatch.setenv(f"MNISTROBUST_{name}", f"of/{name}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["src", str(tmp_path / "lib")]))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(suite, "decide", lambda *_, **__: run().source)
    monkeypatch.setattr(suite, "load", lambda *_: None)
    places = {"--data": "a.npz", "--store": "~/nets", "--evidence": "e.json"}
    *_, arguments = verified(0, monkeypatch, places=places, offline=False)
    environment = arguments.pop()
    whole = {
        "--data": tmp_path / "a.npz", "--store": tmp_path / "home" / "nets",
        "--evidence": tmp_path / "e.json",
    }  # fmt: skip
    assert {(name, str(path)) for name, path in whole.items()} < {*pairwise(arguments)}
    for name in ("DATA", "STORE", "CACHE"):
        assert environment[f"MNISTROBUST_{name}"] == str(tmp_path / "of" / name)
    modules = [str(tmp_path / name) for name in ("src", "lib")]
    assert environment["PYTHONPATH"] == os.pathsep.join(modules)
    assert "KERAS_HOME" not in environment

    monkeypatch.setenv("MNISTROBUST_DATA", "auto")
    words = {"--evidence": "none", "--store": None}
    *_, arguments = verified(0, monkeypatch, places=words, offline=False)
    assert arguments.pop()["MNISTROBUST_DATA"] == "auto"
    assert {("--data", "mnist5k"), ("--evidence", "none")} < {*pairwise(arguments)}
    assert "--store" not in arguments


def test_a_report_goes_into_a_new_folder_of_any_depth(tmp_path):
    """Which is made before a long run."""
    suite.check_target(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_is_no_folder_of_a_report(tmp_path):
    """It is told so, not that it exists."""
    (tmp_path / "report").write_text("mine")
    with pytest.raises(UsageError, match=r"report: it is no folder; name another folder\.$"):
        suite.check_target(tmp_path / "report")


@pytest.mark.parametrize(
    ("apart", "error", "waits"),
    [
        (False, KeyboardInterrupt, suite._END_SECONDS),  # the terminal interrupts it, too
        (True, KeyboardInterrupt, 0),
        (False, SystemExit, 0),
    ],
)
def test_a_run_that_is_broken_off_ends_pytest(apart, error, waits, tmp_path, monkeypatch):
    """In its folder, with its output and environment; asked first, then ended, then killed."""
    told, how = [], {}

    class Process:
        def __init__(self, command, **given):
            how.update(given, arguments=command[3:])

        def wait(self, seconds):
            told.append(seconds)
            if len(told) == 1:
                raise error

        poll = terminate = kill = lambda _: told.append("end")
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731

    monkeypatch.setattr(suite.subprocess, "Popen", Process)
    with pytest.raises(error):
        suite.run_pytest(
            ["-q"], tmp_path, output="log", environment={"A": "1"}, seconds=9, apart=apart
        )

    assert told == [9, *["end", waits] * 3]
    kept = {name: how[name] for name in ("arguments", "cwd", "stdout", "env", "start_new_session")}
    assert kept == {
        "arguments": ["-q"], "cwd": tmp_path, "stdout": "log", "env": {"A": "1"},
        "start_new_session": apart,
    }  # fmt: skip
