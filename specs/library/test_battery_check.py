"""`mnistrobust check` and `export-views`, and the battery in the reader's own pytest suite."""

import json
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mnistrobust.battery import running

ROOT = Path(__file__).parents[2]
GOOD = """
from mnistrobust.data import decide, load
from digit_models import softmax, trained

print("noise on standard output")
predict = trained(load(decide("mnist5k")))


class Classifier:
    def predict_proba(self, images):
        print("more of it")
        return softmax(predict(images))

    def predict(self, images):
        return predict(images).argmax(axis=1)


classifier = Classifier()
not_a_model = 7


def labels(images):
    return predict(images).argmax(axis=1)


def text(images):
    return [["one"] * 10] * len(images)


def ragged(images):
    return [[0.0] * (10 + i % 2) for i in range(len(images))]


def short(images):
    return predict(images)[1:]


def broken(images):
    raise RuntimeError("mat1 and mat2\\ncannot be multiplied")


def no_blanks(images):
    if not images.any():
        raise ZeroDivisionError("no ink")
    return predict(images)


def nan(images):
    return predict(images) * float("nan")


def picky(images):
    if images.shape[1:] != (28, 28):
        raise ValueError(f"cannot take {images.shape[1:]}")
    raise KeyError("weights")
"""
DATA = ("--data", "mnist5k")
EXPECTED = [
    f"--expect-failure={name}=never learned"
    for name in (
        "threshold_accuracy",
        "offset_noise_accuracy",
        "inverted_accuracy",
        "pure_noise_uncertainty",
        "less_sure_of_scaled",
    )
]


@pytest.fixture
def folder(tmp_path, surroundings):
    """A working directory with a model's module in it, which nobody has imported."""
    (tmp_path / "my_models.py").write_text(GOOD, "utf-8")
    (tmp_path / "raises.py").write_text("raise OSError('no weights here')", "utf-8")
    (tmp_path / "ends.py").write_text("raise SystemExit(3)", "utf-8")
    for suffix in ("npz", "keras"):
        (tmp_path / f"folder.{suffix}").mkdir()
    (tmp_path / "lacks.py").write_text("import no_such_package", "utf-8")
    surroundings.chdir(tmp_path)
    surroundings.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("my_models", "raises", "ends", "lacks"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ((), 2, "Missing argument 'MODEL'"),
        (("m:p", "--only", "clean_acuracy"), 2, "Unknown spec 'clean_acuracy': did you mean 'clean_accuracy'?"),
        (("m:p", "--expect-failure", "nll"), 2, "--expect-failure nll: expected SPEC=REASON."),
        (("m:p", "--expect-failure", "nll= "), 2, "expected SPEC=REASON."),
        (("m:p", "--expect-failure", "nnll=x"), 2, "Unknown spec 'nnll': did you mean 'nll'?"),
        (("m:p", "--expect-failure", "ece_equal_mass=x"), 2, "it cannot fail"),
        (("m:p", "--only", "brier", "--expect-failure", "nll=x"), 2, "not among the specs that run"),
        (("m:p", "--input-shape", "28x27"), 2, "--input-shape 28x27: expected one of 784, 28x28, 28x28x1, 1x28x28."),
        (("m:p", "--report", __file__), 2, "name another folder."),
        (("m:p", "--data", "/nowhere.npz"), 3, "No such file or folder"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_wrong_call_is_one_line(arguments, code, line, command, tmp_path, surroundings):
    """Before anything is imported or predicted."""
    surroundings.chdir(tmp_path)
    ended = command("check", *arguments)

    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.splitlines()) == 1
    assert line in ended.error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("my_models", "my_models: expected package.module:predict, a model file"),
        ("my_models:", "expected package.module:predict"),
        ("my_models.py:predict", "name my_models:predict in its own folder"),
        ("no_models:predict", "no module 'no_models' in "),
        ("no.models:predict", "no module 'no' in "),
        ("my_models:predct", "my_models has no 'predct'; it has: "),
        ("my_models:not_a_model", "my_models:not_a_model is no model: expected a callable, received int"),
        ("my_models:Classifier", "is a class; name a function or a trained model"),
        ("raises:predict", "its import raised OSError: no weights here"),
        ("ends:predict", "its import raised SystemExit: 3"),
        ("lacks:predict", "its import raised ModuleNotFoundError: No module named 'no_such_package'"),
        ("my_models:labels", "received (100,) of int64; these look like labels"),
        ("my_models:text", "received (100, 10) of <U3"),
        ("my_models:ragged", "gave no array: ValueError"),
        ("my_models:short", "expected logits or probabilities of shape (100, 10) or (100, 11), received (99, 10)"),
        ("my_models:broken", "my_models:broken raised RuntimeError: mat1 and mat2 (for images of shape 784)"),
        ("my_models:picky", "raised ValueError: cannot take (784,) (for images of shape 784); name another shape with --input-shape: 28x28"),
        ("model.pkl", "a pickle runs any code when it is read"),
        ("model.PT", "a pickle runs any code when it is read"),
        ("nowhere.keras", "nowhere.keras: no such file"),
        ("nowhere.npz", "nowhere.npz: no such file"),
        ("a" * 300 + ".npz", ".npz: no such file"),
        ("folder.npz", "folder.npz: expected a regular file"),
        ("folder.keras", "folder.keras: refused: expected a regular file"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_a_model_that_cannot_be_asked_is_one_line(model, line, command):
    """Not found, no model, or answers that are none: the cause, and what to do."""
    ended = command("check", model, *DATA)

    assert (ended.code, ended.out) == (2, "")
    assert line in ended.error
    assert sum(each.startswith("mnistrobust: ") for each in ended.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("my_models:predict", "--trust"), "--arch and --trust are for model files"),
        (("predictions.npz", "--trust"), "--arch and --trust are for model files"),
        (("model.keras", "--input-shape", "784"), "a file says itself what it takes"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_option_that_says_nothing_about_this_model_is_an_error(arguments, line, command):
    """No option is passed over in silence."""
    ended = command("check", *arguments, *DATA)

    assert ended.code == 2
    assert line in ended.error


@pytest.mark.slow
def test_a_good_model_ends_with_0_where_its_failures_are_expected(command, folder):
    """The table names every spec; the folder has both reports; the model's prints are no data."""
    ended = command("check", "my_models:predict", *EXPECTED, *DATA, "--offline", "--logits")

    assert ended.code == 0
    assert all(name in ended.out for name in running.SPECS)
    assert "failed as expected" in ended.out
    assert "noise on standard output" not in ended.out
    assert "noise on standard output" in ended.err
    assert "predicting blank" in ended.err
    assert "a model trained on that knows its digits" in ended.err
    found = json.loads((folder / "report" / "battery.json").read_text("utf-8"))
    assert found["good"]
    assert "## Calibration" in (folder / "report" / "battery.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--data", "MNISTROBUST_DATA"])
def test_a_model_is_trained_on_the_set_that_it_is_checked_on(
    option, command, folder, archive, surroundings
):
    """`decide()` in the model's own file gives what the command decided, however it was asked."""
    (folder / "decides.py").write_text(
        "import numpy as np\nfrom mnistrobust.data import decide\n\nprint('trained on', decide())\n"
        "predict = lambda images: np.eye(10)[[0] * len(images)]\n",
        "utf-8",
    )
    if option == "MNISTROBUST_DATA":
        surroundings.setenv(option, str(archive))
    given = (option, archive) if option == "--data" else ()
    ended = command("check", "decides:predict", "--only", "output_shape", *given)
    sys.modules.pop("decides")

    assert ended.code == 0
    assert f"{archive}): as asked for" in ended.err.partition("trained on")[2]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_failure_ends_with_1_and_says_its_bound(command):
    """The line names the spec, what it states, the bound and what came."""
    ended = command("check", "my_models:predict", "--only", "inverted_accuracy", *DATA)

    assert ended.code == 1
    line = "Expected at most 0.1 below the accuracy on clean digits; accuracy 0.08"
    assert line in ended.out
    assert "1 failed" in ended.out


@pytest.mark.slow
def test_json_is_one_object_of_the_specs_that_were_asked_for(command, folder):
    """An object with `predict_proba` is asked by it, and its prints go to standard error."""
    names = ("--only", "clean_accuracy", "--only", "probabilities_sum_to_one")
    where = ("--report", folder / "new" / "report")
    ended = command("check", "my_models:classifier", *names, "--json", *DATA, *where)
    found = json.loads(ended.out)

    assert ended.code == 0
    assert (found["model"], found["outputs"]) == ("my_models:classifier", "probabilities")
    assert {each["name"]: each["status"] for each in found["specs"]} == {
        "probabilities_sum_to_one": "passed",
        "clean_accuracy": "passed",
    }
    assert found == json.loads((folder / "new" / "report" / "battery.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_what_a_model_raises_or_gives_for_some_images_fails_the_specs_of_these(command):
    """An error for blank images, or NaN throughout, is a finding; the others go on."""
    names = ("finite_output", "clean_accuracy", "less_sure_of_blank", "ece_equal_width")
    only = [f"--only={name}" for name in names]

    def found(model, *more):
        ended = command("check", model, *only, *DATA, "--json", *more)
        specs = json.loads(ended.out)["specs"]
        return ended.code, {each["name"]: (each["status"], each["reason"]) for each in specs}

    code, said = found("my_models:no_blanks")
    assert code == 1
    assert said["clean_accuracy"] == ("passed", None)
    for name in ("finite_output", "less_sure_of_blank"):
        assert said[name][0] == "failed"
        assert "ZeroDivisionError: no ink" in said[name][1]
    code, said = found("my_models:nan", "--probabilities", "--input-shape", "784")
    assert code == 1
    assert [status for status, _ in said.values()] == ["failed"] * 3 + ["not applicable"]
    assert "NaN or infinity for 1000 of 1000 images (clean)" in said["clean_accuracy"][1]


@pytest.mark.slow
def test_export_and_check_of_predictions(command, folder):
    """`export-views` names what it wrote; `check` takes what was predicted from it."""
    ended = command("export-views", folder / "out", "--json", "--offline", *DATA)
    written = json.loads(ended.out)

    assert ended.code == 0
    assert written["dataset"] == "mnist5k"
    inputs, how_to = written["files"]
    assert "np.savez" in Path(how_to).read_text("utf-8")
    with np.load(inputs) as sets:
        np.savez("predictions.npz", **{name: np.eye(10)[[0] * len(sets[name])] for name in sets})
    ended = command("check", "predictions.npz", "--only", "every_digit", *DATA)
    assert ended.code == 1
    assert "recall 0.0000 of the digit 1" in ended.out
    assert command("export-views", inputs, *DATA).code == 2


@pytest.mark.slow
def test_specs_are_listed(command):
    """`--specs` needs no model; `--json` gives every spec's bound."""
    assert all(name in command("check", "--specs").out for name in running.SPECS)
    rows = json.loads(command("check", "--specs", "--json").out)

    assert [row["name"] for row in rows] == list(running.SPECS)
    assert rows[0]["bound"] == "10 or 11 classes"


def pytest_run(process, folder, body, *arguments):
    """Run a suite of the reader's own, that knows nothing of this one."""
    head = "from mnistrobust.testing import parametrize_with_specs\n\n"
    (folder / "test_mine.py").write_text(head + textwrap.dedent(body), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return process("-rsx", *arguments, "test_mine.py", cwd=folder, program=("-m", "pytest"))


@pytest.fixture
def suite(folder, surroundings, process):
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'specs' / 'library'}")
    return lambda body, *arguments: pytest_run(process, folder, body, *arguments)


@pytest.mark.slow
def test_the_battery_runs_in_a_suite_of_ones_own(suite):
    """Passes, failures with their bound, skips with a reason, strict expected failures."""
    ended = suite(
        """
        @parametrize_with_specs(
            "my_models:predict",
            expected_failures={
                "inverted_accuracy": "never inverted",
                "every_digit": "a stale one",
                "noise_class_keeps_digits": "it has none",
            },
            only=["inverted_accuracy", "every_digit", "noise_class_keeps_digits", "nll",
                  "offset_noise_accuracy", "probabilities_sum_to_one", "ece_equal_mass"],
        )
        def test_my_model(check):
            outcome = check()
            assert outcome.figures
        """
    )

    assert ended.code == 1
    assert "3 failed, 2 passed, 1 skipped, 1 xfailed" in ended.out
    assert "[XPASS(strict)] a stale one" in ended.out
    assert (
        "noise_class_keeps_digits is expected to fail, but says: the model has no noise"
        in ended.out
    )
    assert "not applicable: the model gives logits" in ended.out
    assert "AssertionError: Digits under offset noise are recognised as well" in ended.out
    assert "interface_specs.py" not in ended.out


@pytest.mark.slow
def test_a_wrong_name_is_an_error_of_collection(suite):
    """A spec that does not exist is never an expectation that nothing meets."""
    ended = suite(
        """
        @parametrize_with_specs("my_models:predict", expected_failures={"inverted": "x"})
        def test_my_model(check):
            check()
        """
    )

    assert ended.code == 2
    assert "Unknown spec 'inverted': did you mean 'inverted_accuracy'?" in ended.out


@pytest.mark.slow
def test_a_model_itself_is_taken_too_and_asked_once(suite):
    """Any object that `check` takes by its name; each set is predicted once for all specs."""
    ended = suite(
        """
        from my_models import predict

        asked = []

        def counted(images):
            asked.append(len(images))
            return predict(images)

        @parametrize_with_specs(
            counted, only=["clean_accuracy", "every_digit", "nll", "brier"], input_shape="784"
        )
        def test_my_model(check):
            assert check().good
            assert sum(asked) == 100 + 1000  # what finds out about the model, and the digits
        """
    )

    assert "4 passed" in ended.out


README = (ROOT / "README.md").read_text("utf-8")


def example(name):
    return re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", README, re.DOTALL)[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my_torch", "my_sklearn", "my_keras"])
def test_the_readmes_models_are_checked_as_written(name, process, tmp_path, home):
    """Word for word: the file, then the command; only what the README says fails."""
    if name == "my_torch":
        pytest.importorskip("torch", reason="PyTorch is not installed: no dependency of ours")
    home.stamp.touch()  # no download
    (tmp_path / f"{name}.py").write_text(example(name), "utf-8")
    ended = process("check", f"{name}:model", "--json", cwd=tmp_path)
    specs = json.loads(ended.out)["specs"]

    assert ended.code == 1
    passed = {each["name"] for each in specs if each["status"] == "passed"}
    assert passed >= {"batch_invariance", "repeatability", "finite_output", "nll", "brier"}
    assert {each["name"] for each in specs if each["status"] == "failed"} >= {"inverted_accuracy"}


@pytest.mark.slow
def test_the_readmes_suite_passes_as_written(process, tmp_path, home):
    """Word for word, with the file of the scikit-learn example beside it."""
    home.stamp.touch()
    for name in ("my_sklearn", "test_my_model"):
        (tmp_path / f"{name}.py").write_text(example(name), "utf-8")
    ended = process("test_my_model.py", cwd=tmp_path, program=("-m", "pytest"))

    assert ended.code == 0, ended.out
    assert "4 passed, 1 xfailed" in ended.out
