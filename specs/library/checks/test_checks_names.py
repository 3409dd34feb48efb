"""What a name of a model leads to, before anything runs."""

import sys

import pytest

from mnistrobust.checks.model import imported
from mnistrobust.checks.opening import check_given, check_name
from mnistrobust.checks.outputs import ModelError
from mnistrobust.errors import UsageError


def test_a_module_without_an_objects_name_is_told_its_objects(tmp_path, monkeypatch):
    """Nothing is imported; constants and what is private are no models."""
    (tmp_path / "mine.py").write_text(
        "import gone\n\nRATE = 0.1\n_net = gone.Net()\nmodel = gone.Net()\n\n\n"
        "def predict(images):\n    return model(images)\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    for given in ("mine", "mine.py"):
        with pytest.raises(ModelError, match=r"name its model: mine:model or mine:predict\.$"):
            check_given(given)


def test_a_path_or_a_module_is_no_misspelt_name(tmp_path, monkeypatch):
    """Only a plain word that is nothing else is compared with the known ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("model = 1\nnet = gone.Net()\n", "utf-8")
    (tmp_path / "file").touch()
    for given in ("ann", "any:thing", "a.onnx", "file"):
        check_name(given, "recipe", ["ann"])
    for given, line in (("amn", "Unknown recipe 'amn': did you mean 'ann'"), ("mine", "mine:net")):
        with pytest.raises(UsageError, match=line):
            check_name(given, "recipe", ["ann"])
    (tmp_path / "file").write_bytes(b"x")
    assert [check_given(given) for given in ("file", "json:loads")] == [False, True]


def test_what_a_module_lacks_is_told_apart(tmp_path, monkeypatch):
    """A name, with those that are its own first; a package that it needs is no missing module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "of_its_own.py").write_text("from json import dumps\n\n\ndef net(x): pass\n")
    (tmp_path / "that_needs_more.py").write_text("import gone_for_ever\n")

    with pytest.raises(ModelError, match="of_its_own has no 'predict'; it has: net, dumps"):
        imported("of_its_own:predict")
    with pytest.raises(ModuleNotFoundError, match="gone_for_ever"):
        imported("that_needs_more:predict")
    for missing in ("no_such_package:f", "no_such_package.inner:f"):
        with pytest.raises(ModelError, match="no module 'no_such_package' in"):
            imported(missing)


def test_a_name_of_another_form_is_told_the_right_one(tmp_path, monkeypatch):
    """A path, dots alone, and a file whose name no import takes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for file in ("my-model.py", "folder/mine.py"):
        (tmp_path / file).touch()
    for given, line in (
        ("folder/mine.py:predict", "expected a module; name folder.mine:predict."),
        ("folder.mine.predict", "expected a module; name folder.mine:predict."),
        (f"{tmp_path}/folder/mine.py:net", "expected a module; name mine:net in its own folder."),
        ("my-model:net", "my-model.py cannot be imported under this name; rename it, as my_model.py."),
        ("folder/gone.py:net", "no such file; expected package.module:predict"),
    ):  # fmt: skip
        with pytest.raises(ModelError) as caught:
            check_given(given)
        assert str(caught.value).startswith(f"{given}: {line}")


def test_a_module_that_hides_the_users_is_named(tmp_path, monkeypatch):
    """Python's own, and installed ones that are imported first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("random.py", "sys.py"):
        with pytest.raises(ModelError) as caught:
            imported(f"{name.removesuffix('.py')}:predict")
        assert "hidden" not in str(caught.value)
        (tmp_path / name).write_text("def predict(x): pass\n", "utf-8")
    with pytest.raises(ModelError, match=r"; random.py here is hidden by .*random.py: rename it$"):
        imported("random:predict")
    with pytest.raises(ModelError, match=r"; sys.py here is hidden by a module of Python itself"):
        imported("sys:predict")


def test_of_many_objects_the_last_are_told(tmp_path, monkeypatch):
    """A model is made of what stands above it."""
    lines = [f"def part{n}(x):\n    return x\n" for n in range(9)]
    (tmp_path / "mine.py").write_text("\n\n".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelError, match=r"model: mine:part4 or .* or mine:part8\.$"):
        check_given("mine")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "a/" * 3000], ids=["long", "nul", "deep"])
def test_a_name_that_no_file_can_have_is_one_line(name):
    """Also where a module of that name is looked for."""
    with pytest.raises(ModelError) as caught:
        check_given(name)

    assert "\n" not in str(caught.value)
