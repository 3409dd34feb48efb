"""The examples of README and of the checks' page, word for word."""

import json
import re
from pathlib import Path

import pytest

from mnistrobust.checks.run import run

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text("utf-8")
OWN_README = (Path(run.__code__.co_filename).parent / "README.md").read_text("utf-8")


def example(name):
    return re.search(rf"```python\n# {name}\.py\n(.*?)```", README + OWN_README, re.DOTALL)[1]


@pytest.mark.slow
def test_the_examples_of_the_checks_run_as_written(process, tmp_path, home):
    """Word for word: each file, then its command; ONNX as scikit-learn writes it."""
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install -e .[dev]")
    home.stamp.touch()
    for name in ("my_model", "to_onnx", "test_my_model"):
        (tmp_path / f"{name}.py").write_text(example(name), "utf-8")
    assert process("to_onnx.py", cwd=tmp_path, program=()).code == 0

    for name in ("my_model:predict", "digits.onnx"):
        assert f"mnistrobust check {name}" in README
        ended = process("check", name, cwd=tmp_path)
        assert (ended.code, "failed" in ended.out) == (0, False), ended.out
    ended = process("test_my_model.py", cwd=tmp_path, program=("-m", "pytest"))
    assert "4 passed, 1 xfailed" in ended.out


@pytest.mark.slow
def test_a_scikit_learn_model_is_checked_without_tensorflow(tmp_path, process, home):
    """Neither TensorFlow nor Keras is imported, and the check takes seconds."""
    home.stamp.touch()
    (tmp_path / "my_model.py").write_text(example("my_model"), "utf-8")
    code = (
        "import sys\nfrom mnistrobust import cli\n"
        "sys.argv = ['mnistrobust', 'check', 'my_model:predict', '--data', 'mnist5k']\n"
        "try: cli.main()\n"
        "finally: print('MODULES', *sys.modules)\n"
    )
    ended = process("-c", code, cwd=tmp_path, program=())
    modules = set(ended.out.partition("MODULES")[2].split())

    assert "sklearn.metrics" in modules
    assert not {"tensorflow", "keras", "torch", "onnxruntime"} & modules


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my_torch", "my_keras"])
def test_models_of_other_frameworks_are_checked_as_written(name, process, tmp_path, home):
    """Word for word: the file, then the command; only what the README says fails."""
    if name == "my_torch":
        pytest.importorskip("torch", reason="torch is missing: pip install -e .[frameworks]")
    home.stamp.touch()  # no download
    (tmp_path / f"{name}.py").write_text(example(name), "utf-8")
    ended = process("check", f"{name}:model", "--json", cwd=tmp_path)
    rows = json.loads(ended.out)["checks"]

    failed = {each["name"] for each in rows if each["status"] == "failed"}
    assert ended.code == bool(failed)
    assert failed <= {"pure_noise_uncertainty"}
    passed = {each["name"] for each in rows if each["status"] == "passed"}
    assert passed >= {"batch_invariance", "repeatability", "finite_output", "nll", "brier"}
    reported = {each["name"] for each in rows if each["status"] == "reported"}
    assert reported >= {"inverted_accuracy", "less_confident_on_inverted"}
