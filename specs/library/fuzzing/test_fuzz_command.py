"""The command `fuzz`: models that end or hang, the files it writes, the suite's own networks."""

import hashlib
import json
import re
import subprocess
import sys
import time
from functools import partial
from textwrap import dedent

import pytest

from mnistrobust.checks.outputs import ModelError
from mnistrobust.cli import fuzz
from mnistrobust.data import load
from mnistrobust.errors import UsageError
from mnistrobust.fuzzing import outcomes, search
from mnistrobust.fuzzing.counterexamples import opened
from mnistrobust.fuzzing.findings import findings_of
from mnistrobust.fuzzing.outcomes import Subject
from mnistrobust.fuzzing.search import Search
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.report import pictures
from specs.helpers.oracle import READS, TONE, Oracle, lightest_seven

TONES = [PERTURBATIONS[name] for name in TONE]

MODEL = """
    import os
    import time

    import numpy as np

    from mnistrobust.data import decide, load
    from specs.helpers.digit_models import softmax, trained

    good = trained(load(decide("mnist5k")))


    def predict(images):
        return softmax(good(images))


    def blind(images):
        outputs = predict(images)
        seven = (outputs.argmax(axis=1) == 7) & (images.min(axis=1) > 0.02)
        outputs[seven] = np.eye(10)[1]
        return outputs


    def steadfast(images):
        return np.tile(0.98 * np.eye(10)[7] + 0.002, (len(images), 1))


    def ends(images):
        if (images.max(axis=1) < 0.5).any():
            os._exit(3)
        return predict(images)


    def dozes(images):
        if (images.min(axis=1) > 0.45).any():
            time.sleep(1.5)
        return predict(images)


    def tires(images):
        time.sleep(0.2 * ((images.mean(axis=1) > 0.4) & (images.min(axis=1) < 0.5)).sum())
        return predict(images)


    def hangs(images):
        if (images.min(axis=1) > 0.45).any():
            time.sleep(600)
        return predict(images)
"""


@pytest.fixture
def models(tmp_path, surroundings):
    """A module with models, in the working directory."""
    (tmp_path / "models.py").write_text(dedent(MODEL))
    surroundings.chdir(tmp_path)
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    return tmp_path


def replayed(folder, elsewhere):
    """Run the file of counterexamples in a process of its own and from another folder."""
    file = folder / "report" / "test_counterexamples.py"
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    return subprocess.run(line, cwd=elsewhere, capture_output=True, text=True, check=False).stdout


def test_a_search_gets_every_option(command, surroundings, tmp_path):
    """What is looked for, how far, from which seed, and how the model reads images."""
    surroundings.chdir(tmp_path)
    asked = {}

    def searched(*_, **how):
        asked.update(how)
        raise UsageError("enough.")

    surroundings.setattr(outcomes, "Subject", lambda *given, **how: asked.update(how, m=given[0]))
    surroundings.setattr(search, "Search", searched)
    words = ["m.onnx", "--direction", "outlier", "--max-severity", 3, "--seed", 5, "--trust"]
    words += ["--arch", "cnn", "--pixels", "0..255", "--input-shape", "784", "--logits"]
    assert command("fuzz", *words, "--data", "mnist5k").code == 2

    assert asked == {
        "m": "m.onnx", "direction": "outlier", "severity": 3, "seed": 5, "trust": True, "arch": "cnn",
        "pixels": (0, 255), "input_shape": "784", "outputs": "logits",
    }  # fmt: skip


@pytest.mark.slow
def test_counterexamples_are_tests_that_fail_until_the_model_is_repaired(
    models, command, tmp_path_factory
):
    """They replay from any folder; that a blind spot is gone, or the model, is said in a line."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    enough = 60000  # for each perturbation to be tried once
    ended = command("fuzz", "models:blind", "--candidates", enough, "--pixels", "0..1", "--json")

    assert ended.code == 1
    found = json.loads(ended.out)
    assert found == json.loads((models / "report" / "fuzz.json").read_text())
    assert (found["schema"], len(found["made"])) == (1, 25)
    assert {"numpy", "scipy"} < found["versions"].keys()
    blind = next(
        each for each in found["weaknesses"] if each["words"].startswith("ink added everywhere")
    )
    assert blind["words"].endswith("only 7s, suddenly")
    assert 0.02 < blind["by_digit"]["7"]["smallest"] < 0.021
    n = len(found["weaknesses"])
    assert replayed(models, elsewhere).splitlines()[-1].startswith(f"{n} xfailed")
    module = models / "models.py"
    module.write_text(module.read_text().replace("0.02", "2"))
    assert "failed" in replayed(models, elsewhere).splitlines()[-1]
    file = models / "report" / "test_counterexamples.py"
    name = f"{1 + found['weaknesses'].index(blind)}: {blind['words']}"
    file.write_text(file.read_text().replace("REPAIRED = []", f"REPAIRED = [{name!r}]"))
    assert " passed" in replayed(models, elsewhere).splitlines()[-1]
    module.rename(models / "gone.py")
    gone = replayed(models, elsewhere)
    assert f"{n} errors" in gone
    assert "no module 'models'" in gone
    assert "Traceback" not in gone
    assert "The above exception" not in gone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("ends", "it ends its process with code 3"),
        ("hangs", "it takes more than 3 s for one call"),
        ("dozes", "takes 15"),  # hundred and some ms
    ],
)
@pytest.mark.usefixtures("models")
def test_a_model_that_ends_or_hangs_or_dozes_is_a_finding(command, name, fault, monkeypatch):
    """The input is told, what it comes from is skipped, and the search goes on."""
    monkeypatch.setattr(outcomes, "_SECONDS", 3.0)
    ended = command("fuzz", f"models:{name}", "--candidates", 3000, "--json")

    found = json.loads(ended.out)
    assert fault in found["faults"][0]["fault"]
    assert "rotate" in {each["perturbations"][0] for each in found["weaknesses"]}


@pytest.mark.slow
@pytest.mark.usefixtures("models")
def test_a_batch_that_hangs_by_the_sum_of_its_images_is_a_fault_of_one(mnist5k, monkeypatch):
    """Not all of them are predicted alone, which would take as long as the batch."""
    monkeypatch.setattr(outcomes, "_SECONDS", 3.0)
    subject, began = Subject("models:tires", mnist5k, pixels=(0, 1)), time.monotonic()
    over = [PERTURBATIONS[name] for name in ("contrast", "brightness")]
    search = Search(subject, mnist5k, over=over, indexes=range(20))
    search.run(lambda: search.candidates >= 2000)

    (fault,) = [fault for fault, _ in search.faults.values()]
    assert re.match(r"takes 2\d\d ms alone, a plain digit \d\d? ms", fault)
    assert search.skipped == {"brightness"}
    assert time.monotonic() - began < 40


@pytest.mark.slow
@pytest.mark.usefixtures("models")
def test_it_is_said_whose_findings_are_replaced(command):
    """In the line that names the files; without a counterexample there is no file of tests."""
    first = command("fuzz", "models:steadfast", "--candidates", 1, "--pixels", "0..1")
    assert first.err.splitlines()[-1].endswith("fuzz.png, fuzz.json")
    again = command("fuzz", "models:blind", "--candidates", 1, "--pixels", "0..1")
    assert again.err.splitlines()[-1].endswith(", in place of the report on models:steadfast")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["ann", "cnn"])
def test_the_suites_networks_are_fuzzed(recipe, replicate):
    """Each has weaknesses and no faults, and each counterexample is a wrong prediction."""
    dataset = load(replicate.source)
    search = Search(Subject(replicate.model(recipe), dataset, pixels=(0, 1)), dataset)
    search.run(lambda: search.candidates >= 10_000)
    findings = findings_of(search)

    assert findings.faults == ()
    assert len(findings.weaknesses) > 5
    for each in findings.weaknesses:
        assert each.counterexample.steps[-1][0] != each.counterexample.label


@pytest.mark.parametrize("place", ["report", "tests/deep", "."])
def test_a_model_is_found_from_the_file_of_its_counterexamples(place, tmp_path, surroundings):
    """In the folder that the file names, or in one above it, whatever the working directory is."""
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    (tmp_path / "digits.onnx").touch()

    with pytest.raises(ModelError, match=r"digits\.onnx: it is empty"):
        opened(tmp_path / place / "test_it.py", model="digits.onnx", folder="..")
    with pytest.raises(ModelError, match=r"digits\.onnx: it is empty"):
        opened("/test_it.py", model="digits.onnx", folder=str(tmp_path))
    with pytest.raises(ModelError, match="no such file"):
        opened(tmp_path / place / "test_it.py", model="other.onnx", folder="..")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["none.onnx"], "none.onnx: no such file"),
        (["none:predict", "--pixels", "0"], "--pixels 0: expected NONE..FULL"),
        (["none:predict", "--direction", "up"], "--direction up: expected one of wrong, changes"),
    ],
)
def test_wrong_use_is_one_line(options, says, command, tmp_path):
    """Nothing is searched."""
    ended = command("fuzz", *options, "--data", "mnist5k", "--report", tmp_path / "report")

    assert ended.code == 2
    assert says in ended.error


def test_options_say_how_the_model_is_read(command, monkeypatch, tmp_path):
    """As for `check`, whose options they are."""
    asked = []

    def noted(given, _, **how):
        asked.append((given, how))
        raise UsageError("enough")

    monkeypatch.setattr(outcomes, "open_model", noted)
    words = ("--pixels", "0..255", "--logits", "--input-shape", "28x28", "--arch", "ann", "--trust")
    ended = command("fuzz", "my.keras", *words, "--data", "mnist5k", "--report", tmp_path)

    ((given, how),) = asked
    assert (given, ended.code, how.pop("call_seconds")) == ("my.keras", 2, 10)
    assert how == {
        "pixels": (0, 255), "outputs": "logits", "input_shape": "28x28", "arch": "ann", "trust": True,
    }  # fmt: skip


@pytest.mark.parametrize(("blind", "code"), [((lightest_seven,), 1), ((), 0)])
def test_what_is_asked_for_is_searched_and_written(blind, code, command, monkeypatch, tmp_path):
    """With a weakness, a test of it is written, too, and the exit code is 1."""
    opened, drawn = {}, []

    def subject(given, dataset, **how):
        opened.update(how, given=given)
        return Subject(Oracle(dataset, *blind), dataset, **READS)

    monkeypatch.setattr(outcomes, "Subject", subject)
    monkeypatch.setattr(pictures, "save", lambda _, option, path: drawn.append((option, path)))
    monkeypatch.setattr(search, "Search", partial(Search, over=TONES, indexes=range(30)))
    words = ("--candidates", 700, "--seed", 3, "--max-severity", 4, "--pixels", "0..255")
    ended = command(
        "fuzz", "mine:predict", *words, "--report", tmp_path, "--data", "mnist5k", "--json"
    )

    found = json.loads(ended.out)
    assert (ended.code, bool(found["weaknesses"]), found["faults"]) == (code, bool(blind), [])
    assert (found["seed"], found["max_severity"], found["direction"]) == (3, 4, "wrong")
    assert found["candidates"] >= 700
    assert opened == {"given": "mine:predict", "pixels": (0, 255)}
    assert found == json.loads((tmp_path / "fuzz.json").read_text("utf-8"))
    tests = tmp_path / "test_counterexamples.py"
    assert tests.is_file() is bool(blind)
    text = tests.read_bytes() if blind else b""
    assert found["tests"] == hashlib.sha256(text).hexdigest()
    assert drawn == [("--report", tmp_path / "fuzz.png")]


def test_a_file_of_tests_is_replaced_and_an_edited_one_is_kept(tmp_path):
    """Names that the user added to REPAIRED stay; what nobody edited is of another search."""
    file, edited = tmp_path / "test_counterexamples.py", "REPAIRED = ['1: a']\n"
    written = hashlib.sha256(b"REPAIRED = []\n").hexdigest()
    (tmp_path / "fuzz.json").write_text(json.dumps({"tests": written}))
    kept = []
    for text in (edited, "REPAIRED = []\n", None, edited):
        if text:
            file.write_bytes(text.encode())
        kept.append(fuzz._cleared(tmp_path))
        assert not file.exists()

    names = [tmp_path / f"test_counterexamples_{n}.py" for n in (2, 3)]
    assert kept == [names[0], None, None, names[1]]
    assert [name.read_text() for name in names] == [edited] * 2
    (tmp_path / "fuzz.json").unlink()
    file.write_text("written before its digest was\n")
    assert fuzz._cleared(tmp_path).name == "test_counterexamples_4.py"
