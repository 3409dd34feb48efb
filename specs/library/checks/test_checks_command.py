"""`mnistrobust check` and `export-inputs`, and the checks in the reader's own pytest suite."""

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mnistrobust.checks.run import CHECKS

ROOT = Path(__file__).parents[3]
GOOD = """
import os
import signal
import sys
import threading
import time

import numpy as np

from mnistrobust.data import decide, load
from specs.helpers.digit_models import softmax, trained

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


def leaves(images):
    raise SystemExit("no more")


def interrupts(images):
    raise KeyboardInterrupt


def no_blanks(images):
    if not images.any():
        raise ZeroDivisionError("no ink")
    return predict(images)


def elsewhere(images):
    os.write(1, b"printed by C")
    os.chdir("/")
    np.seterr(all="raise")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(600,)).start()
    return predict(images)


def leaves_at_blanks(images):
    if not images.any():
        sys.exit(0)
    return predict(images)


def ends_at_blanks(images):
    if not images.any():
        os._exit(0)
    return predict(images)


def sleeps(images):
    time.sleep(600)


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
        "pure_noise_uncertainty",
    )
]


@pytest.fixture
def folder(tmp_path, surroundings):
    """A working directory with models' modules and files."""
    (tmp_path / "my_models.py").write_text(GOOD, "utf-8")
    (tmp_path / "raises.py").write_text("raise OSError('no weights here')", "utf-8")
    (tmp_path / "ends.py").write_text("raise SystemExit(3)", "utf-8")
    (tmp_path / "interrupts.py").write_text("raise KeyboardInterrupt", "utf-8")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "pickled.pkl").write_bytes(b"cos\nsystem\n")
    (tmp_path / "lacks.py").write_text("import no_such_package", "utf-8")
    surroundings.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ((), 2, "Missing argument 'MODEL'"),
        (("m:p", "--only", "clean_acuracy"), 2, "Unknown check 'clean_acuracy': did you mean 'clean_accuracy'?"),
        (("m:p", "--expect-failure", "nll"), 2, "--expect-failure nll: expected CHECK=REASON."),
        (("m:p", "--expect-failure", "nll= "), 2, "expected CHECK=REASON."),
        (("m:p", "--expect-failure", "nnll=x"), 2, "Unknown check 'nnll': did you mean 'nll'?"),
        (("m:p", "--expect-failure", "ece_equal_mass=x"), 2, "it cannot fail"),
        (("m:p", "--only", "brier", "--expect-failure", "nll=x"), 2, "not among the checks that run"),
        (("m:p", "--on", "rotate"), 2, "rotate: expected a dose from -180 to 180"),
        (("m:p", "--on", "clean"), 2, "--on clean: expected a dose, such as rotate:15."),
        (("m:p", "--input-shape", "28x27"), 2, "--input-shape 28x27: expected one of 784, 28x28, 28x28x1, 1x28x28."),
        (("m:p", "--pixels", "0-255"), 2, "--pixels 0-255: expected NONE..FULL, as 0..255"),
        (("m:p", "--pixels", "1..1"), 2, "--pixels 1..1: expected NONE..FULL"),
        (("nowhere.keras", "--data", "/nowhere.npz"), 2, "nowhere.keras: no such file; expected package.module:predict"),
        (("no_models:predict", "--data", "/nowhere.npz"), 2, "no module 'no_models'"),
        (("os:getcwd", "--report", __file__), 2, "name another folder."),
        (("os:getcwd", "--data", "/nowhere.npz"), 3, "No such file or folder"),
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
        ("my_models", "my_models: a module holds several objects; name its model: my_models:"),
        ("my_models:", "my_models:: no such file; expected package.module:predict"),
        ("my_models.py:predict", "name my_models:predict in its own folder"),
        ("no_models:predict", "no module 'no_models' in "),
        ("no.models:predict", "no module 'no' in "),
        ("my_models:predct", "my_models has no 'predct'; it has: Classifier, "),
        ("my_models:not_a_model", "my_models:not_a_model: it is no model: expected a callable, received int"),
        ("my_models:Classifier", "is a class; name a function or a trained model"),
        ("raises:predict", "raises:predict: it cannot be loaded: OSError: no weights here"),
        ("ends:predict", "ends:predict: it cannot be loaded: SystemExit: 3"),
        ("lacks:predict", "it cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'"),
        ("my_models:labels", "received (300,) of int64; these look like labels"),
        ("my_models:text", "received (300, 10) of <U3"),
        ("my_models:ragged", "expected an array, received a list of 300 (ValueError: "),
        ("my_models:short", "expected logits or probabilities of shape (300, 10) or (300, 11), received (299, 10)"),
        ("my_models:broken", "my_models:broken raised RuntimeError: mat1 and mat2 cannot be multiplied (my_models.py:"),
        ("my_models:picky", " (for 300 float32 images of shape 28x28); others with --input-shape: 784, 28x28x1, 1x28x28"),
        ("my_models:leaves", "my_models:leaves raised SystemExit: no more"),
        ("my_models:interrupts", "my_models:interrupts raised KeyboardInterrupt"),
        ("interrupts:predict", "interrupts:predict: it cannot be loaded: KeyboardInterrupt"),
        ("my_models.py", " or my_models:"),
        ("not_there", "not_there: no such file; expected package.module:predict, a recipe, a model file"),
        ("pickled.pkl", "a pickle runs any code when it is read"),
        ("nowhere.keras", "nowhere.keras: no such file"),
        ("folder.keras", "folder.keras: a folder without saved_model.pb"),
        ("saved_model.pb", "one file of a SavedModel: name its folder, with --trust"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_a_model_that_cannot_be_called_is_one_line(model, line, command):
    """Not found, no model, or outputs that are no scores: the cause, and what to do."""
    ended = command("check", model, *DATA)

    assert (ended.code, ended.out) == (2, "")
    assert line in ended.error
    assert sum(each.startswith("mnistrobust: ") for each in ended.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("my_models:predict", "--trust"), "--arch and --trust are for model files"),
        (("my_models:predict", "--arch", "ann"), "--arch and --trust are for model files"),
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
    """The table names every check; the folder has both reports; the model's prints are no data."""
    ended = command("check", "my_models:predict", *EXPECTED, *DATA, "--offline", "--logits")

    assert ended.code == 0
    assert all(name in ended.out for name in CHECKS)
    assert "failed as expected" in ended.out
    assert "reads (n, 784) float32, pixels 0..1, gives logits of 10 classes" in ended.out
    assert "opening the model" in ended.err
    assert "in place of" not in ended.err
    assert "data: mnist5k, no test of models trained on MNIST" in ended.err
    assert "judges no claim" not in ended.err
    found = json.loads((folder / "report" / "checks.json").read_text("utf-8"))
    assert found["good"]
    assert "## Calibration" in (folder / "report" / "checks.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--data", "MNISTROBUST_DATA"])
def test_a_model_is_trained_on_the_set_that_it_is_checked_on(
    option, command, folder, archive, surroundings
):
    """`decide()` in the model's own file gives what the command decided, however it was asked."""
    (folder / "decides.py").write_text(
        "import numpy as np\nfrom mnistrobust.data import decide\n\n"
        "open('decided', 'w').write(str(decide()))\n"
        "predict = lambda images: np.eye(10)[[0] * len(images)]\n",
        "utf-8",
    )
    if option == "MNISTROBUST_DATA":
        surroundings.setenv(option, str(archive))
    given = (option, archive) if option == "--data" else ()
    ended = command("check", "decides:predict", "--only", "finite_output", *given)

    assert ended.code == 0
    assert f"{archive}): as asked for" in (folder / "decided").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_failure_ends_with_1_and_says_its_bound(command):
    """The line names the check, what it states, the bound and what came."""
    ended = command("check", "my_models:predict", "--only", "threshold_accuracy", *DATA)

    assert ended.code == 1
    line = "Expected at most 0.1 below the accuracy on clean digits; accuracy 0."
    assert line in ended.out
    assert (
        "--expect-failure threshold_accuracy=REASON, or --bound threshold_accuracy=X" in ended.out
    )
    assert "1 failed" in ended.out


@pytest.mark.slow
def test_json_is_one_object_of_the_checks_that_were_asked_for(command, folder):
    """An object with `predict_proba` is asked by it, and its prints go to standard error."""
    names = ("--only", "clean_accuracy", "--only", "probabilities_sum_to_one")
    where = ("--report", folder / "new" / "report")
    ended = command("check", "my_models:classifier", *names, "--json", *DATA, *where)
    found = json.loads(ended.out)

    assert ended.code == 0
    assert (found["model"], found["outputs"]) == ("my_models:classifier", "probabilities")
    assert {each["name"]: each["status"] for each in found["checks"]} == {
        "probabilities_sum_to_one": "passed",
        "clean_accuracy": "passed",
    }
    assert found == json.loads((folder / "new" / "report" / "checks.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_what_a_model_raises_or_gives_for_some_images_fails_the_checks_of_these(command):
    """An error for blank images, or NaN throughout, is a finding; the others go on."""
    names = ("finite_output", "clean_accuracy", "less_confident_on_blank", "ece_equal_width")
    only = [f"--only={name}" for name in names]

    def found(model, *more):
        ended = command("check", model, *only, *DATA, "--json", *more)
        rows = json.loads(ended.out)["checks"]
        return ended.code, {row["name"]: (row["status"], row["reason"]) for row in rows}

    code, said = found("my_models:no_blanks")
    assert code == 1
    assert said["clean_accuracy"] == ("passed", None)
    for name in ("finite_output", "less_confident_on_blank"):
        assert said[name][0] == "failed"
        assert "ZeroDivisionError: no ink" in said[name][1]
    code, said = found("my_models:nan", "--probabilities", "--input-shape", "784")
    assert code == 1
    assert [status for status, _ in said.values()] == ["failed"] * 3 + ["not applicable"]
    assert "NaN or infinity for 1000 of 1000 images (clean)" in said["clean_accuracy"][1]


@pytest.mark.slow
def test_what_a_model_does_to_its_process_is_not_ours(folder, process):
    """What C code prints is no data; its folder, its settings, its threads harm no report."""
    ended = process(
        "check", "my_models:elsewhere", "--only=clean_accuracy", "--json", *DATA, cwd=folder
    )

    assert json.loads(ended.out)["good"]
    assert "printed by C" in ended.err
    assert "noise on standard output" in ended.err
    assert (folder / "report" / "checks.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "reason"),
    [("leaves_at_blanks", "SystemExit: 0"), ("ends_at_blanks", "it ends its process with code 0")],
)
def test_a_model_that_ends_its_process_is_never_a_pass(model, reason, command, folder):
    """The report is written, and says for which images; the exit code is 1."""
    names = ("--only=clean_accuracy", "--only=less_confident_on_blank")
    ended = command("check", f"my_models:{model}", *names, *DATA)

    assert ended.code == 1
    rows = json.loads((folder / "report" / "checks.json").read_text("utf-8"))["checks"]
    assert [row["status"] for row in rows] == ["passed", "failed"]
    assert reason in rows[1]["reason"]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_model_that_sleeps_is_ended(command):
    """The line names the option that allows more time."""
    ended = command("check", "my_models:sleeps", "--seconds", "2", *DATA)

    assert ended.code == 2
    assert "it takes more than 2 s; allow more with --seconds" in ended.error


@pytest.mark.slow
def test_export_and_check_of_predictions(command, folder):
    """`export-inputs` names what it wrote; `check` takes what was predicted from it."""
    ended = command("export-inputs", folder / "out", "--json", "--offline", *DATA)
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
    assert command("export-inputs", inputs, *DATA).code == 2


@pytest.mark.slow
def test_checks_are_listed(command):
    """`--checks` needs no model; `--json` gives every check's bound."""
    assert all(name in command("check", "--checks").out for name in CHECKS)
    rows = json.loads(command("check", "--checks", "--json").out)

    assert [row["name"] for row in rows] == list(CHECKS)
    assert rows[0]["bound"] == "no NaN and no infinity for any input"


def pytest_run(process, folder, body, *arguments):
    """Run a suite of the reader's own, that knows nothing of this one."""
    head = "from mnistrobust.testing import parametrize_with_checks\n\n"
    (folder / "test_mine.py").write_text(head + textwrap.dedent(body), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return process("-rsx", *arguments, "test_mine.py", cwd=folder, program=("-m", "pytest"))


@pytest.fixture
def suite(folder, surroundings, process):
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("PYTHONPATH", f"{ROOT}:{Path(__file__).parent}")
    return lambda body, *arguments: pytest_run(process, folder, body, *arguments)


@pytest.mark.slow
def test_the_checks_run_in_a_suite_of_ones_own(suite):
    """Passes, failures with their bound, skips with a reason, strict expected failures."""
    ended = suite(
        """
        @parametrize_with_checks(
            "my_models:predict",
            bounds={"inverted_accuracy": 0.9},
            expected_failures={
                "inverted_accuracy": "never inverted",
                "every_digit": "a stale one",
                "noise_class_keeps_digits": "it has none",
            },
            only=["inverted_accuracy", "every_digit", "noise_class_keeps_digits", "nll",
                  "threshold_accuracy", "probabilities_sum_to_one", "ece_equal_mass"],
        )
        def test_my_model(check):
            result = check()
            assert result.figures
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
    assert "AssertionError: Digits in black and white are recognised about as well" in ended.out
    assert "interface.py" not in ended.out


@pytest.mark.slow
def test_a_wrong_name_is_an_error_of_collection(suite):
    """A check that does not exist is never an expectation that nothing meets."""
    ended = suite(
        """
        @parametrize_with_checks("my_models:predict", expected_failures={"inverted": "x"})
        def test_my_model(check):
            check()
        """
    )

    assert ended.code == 2
    assert "Unknown check 'inverted': did you mean 'inverted_accuracy'?" in ended.out


@pytest.mark.slow
def test_a_model_that_cannot_be_opened_fails_once(suite):
    """In one line; what it leaves unjudged is skipped, expected failures too."""
    ended = suite(
        """
        @parametrize_with_checks("my_models:predct", expected_failures={"finite_output": "x"})
        def test_my_model(check):
            check()
        """
    )

    assert f"1 failed, {len(CHECKS) - 1} skipped" in ended.out
    (line,) = (each for each in ended.out.splitlines() if each.startswith("my_models:predct: "))
    assert "my_models has no 'predct'; it has: " in line
    assert "opening.py" not in ended.out
    assert "session()" not in ended.out


@pytest.mark.slow
def test_a_model_itself_is_taken_too_and_asked_once(suite):
    """Any object that `check` takes by its name; each set is predicted once for all checks."""
    ended = suite(
        """
        from my_models import predict

        asked = []

        def counted(images):
            asked.append(len(images))
            return predict(images)

        @parametrize_with_checks(
            counted, only=["clean_accuracy", "every_digit", "nll", "brier"], input_shape="784"
        )
        def test_my_model(check):
            assert check().good
            assert sum(asked) == 8 * 300 + 1000  # what finds out about the model, and the digits
        """
    )

    assert "4 passed" in ended.out


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_function_is_checked_without_scikit_learn_where_no_check_needs_it(process):
    """Nothing but the calibration and outlier checks imports it."""
    (Path.cwd() / "tens.py").write_text(
        "import numpy as np\npredict = lambda x: np.eye(10)[[0] * len(x)]", "utf-8"
    )
    code = (
        "import sys\nfrom mnistrobust import cli\n"
        "sys.argv = ['mnistrobust', 'check', 'tens:predict', '--data', 'mnist5k',"
        " '--only', 'clean_accuracy']\n"
        "try: cli.main()\n"
        "finally: print('MODULES', *sys.modules)\n"
    )
    ended = process("-c", code, cwd=Path.cwd(), program=())
    modules = set(ended.out.partition("MODULES")[2].split())

    assert "mnistrobust.checks.accuracy" in modules
    assert not {"tensorflow", "keras", "sklearn"} & modules
