"""What surrounds a training decides nothing about it."""

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from mnistrobust import backend, training
from mnistrobust.backend import import_keras, standard_settings
from mnistrobust.conditions import CONDITIONS
from mnistrobust.errors import UsageError
from mnistrobust.replicates import Replicate, keys
from mnistrobust.store import Store
from mnistrobust.training import Trained

ARGUMENTS = ("evaluate", "ann_1000", "--on", "clean", "--data", "mnist5k", "--json")


class Policy(str):
    """A dtype policy, which Keras returns as an object."""

    __slots__ = ()

    name = property(str)


class Config:
    """`keras.config` without Keras, whose import takes seconds: it keeps what is set."""

    def __init__(self):
        self.floatx, self.epsilon, self.dtype_policy, self.image_data_format = [None] * 4
        for name, value in backend._KERAS_DEFAULTS.items():
            setattr(self, f"set_{name}", lambda value, name=name: self._set(name, value))
            self._set(name, value)

    def _set(self, name, value):
        setattr(self, name, lambda: Policy(value) if name == "dtype_policy" else value)

    def backend(self):
        return "tensorflow"


@pytest.fixture(params=["stand-in", pytest.param("keras", marks=pytest.mark.slow)])
def config(request, monkeypatch):
    """`keras.config`: a stand-in in every run, Keras's own where slow specs run."""
    if request.param == "keras":
        return import_keras().config
    functions = SimpleNamespace(
        run_functions_eagerly=lambda _: None, functions_run_eagerly=lambda: False
    )
    keras = SimpleNamespace(config=Config())
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=functions))
    monkeypatch.setattr(backend, "import_keras", lambda: keras)
    return keras.config


@pytest.fixture
def unusual(config):
    """Keras, NumPy and numba as a notebook may have set them."""
    kept = {name: getattr(config, name)() for name in ("floatx", "epsilon", "image_data_format")}
    config.set_floatx("float16")
    config.set_epsilon(1e-3)
    config.set_image_data_format("channels_first")
    config.set_dtype_policy("mixed_float16")
    with np.errstate(all="raise"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        patch.setenv("NUMBA_OPT", "0")
        yield config
    for name, value in kept.items():
        getattr(config, f"set_{name}")(value)
    config.set_dtype_policy("float32")


def test_settings_are_the_recipes_in_the_block_and_the_users_after_it(unusual):
    """Float32, channels last and the compiler's defaults count in the block, and only there."""
    numba = pytest.importorskip("numba")
    with standard_settings():
        inside = (unusual.floatx(), unusual.image_data_format(), unusual.dtype_policy().name)
        assert inside == ("float32", "channels_last", "float32")
        assert unusual.epsilon() == 1e-7
        assert (numba.config.DISABLE_JIT, numba.config.OPT) == (0, 3)
        assert np.geterr()["under"] == "ignore"

    assert (unusual.floatx(), unusual.dtype_policy().name) == ("float16", "mixed_float16")
    assert (unusual.image_data_format(), unusual.epsilon()) == ("channels_first", 1e-3)
    assert np.geterr()["under"] == "raise"
    assert os.environ["NUMBA_OPT"] == "0"


@pytest.mark.parametrize("part", ["_train", "_build", "_evaluate"])
def test_a_network_meets_the_settings_of_its_recipe(part, unusual, mnist5k, monkeypatch, tmp_path):
    """It is trained, built and evaluated among them."""
    met = []

    def note(*_, **__):
        met.append((unusual.floatx(), np.geterr()["under"]))
        raise InterruptedError

    monkeypatch.setattr(training, "train", note)
    monkeypatch.setattr(training, "rebuilt", note)
    current = Replicate(0, mnist5k.source, Store(tmp_path))
    current._models["ann"] = SimpleNamespace(input_shape=(None, 784))
    current._readers["ann"] = note
    given = {"_train": (), "_build": (Trained([], {}),), "_evaluate": (CONDITIONS["clean"],)}

    with pytest.raises(InterruptedError):
        getattr(current, part)("ann", *given[part])

    assert met == [("float32", "ignore")]


@pytest.mark.slow
@pytest.mark.parametrize("config", ["keras"], indirect=True)
@pytest.mark.usefixtures("unusual")
def test_a_network_is_built_and_evaluated_alike_among_unusual_settings(rehearsal):
    """A notebook's mixed precision changes no evaluation, and no network that is built."""
    model = rehearsal.model("ann_1000")
    evaluation = rehearsal._evaluate(
        "ann_1000", rehearsal.task("ann_1000", ["clean"]).conditions[0]
    )

    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert evaluation.to_json() == rehearsal.evaluate("ann_1000", on="clean").to_json()


def test_keras_on_another_backend_is_an_error(config, monkeypatch):
    """Where Keras runs on JAX already, one line says what to set."""
    monkeypatch.setattr(config, "backend", lambda: "jax")
    with pytest.raises(UsageError, match="runs on jax already: set KERAS_BACKEND=tensorflow"):
        standard_settings().__enter__()


@pytest.mark.parametrize("name", ["OPENBLAS_CORETYPE", "NUMBA_CPU_NAME", "TF_ENABLE_ONEDNN_OPTS"])
def test_variables_that_change_the_rounding_change_the_key(name, rehearsal, monkeypatch):
    """A network of other machine code is another entry, and the usual one keeps its key."""
    recipe, digest = rehearsal.recipes["ann"], rehearsal.source.digest
    model_key, surroundings = keys.model_key.__wrapped__, keys.surroundings.__wrapped__
    monkeypatch.setattr(keys, "surroundings", surroundings)
    for each in keys.surroundings():  # some machines come with one of them
        monkeypatch.delenv(each, raising=False)
    usual = model_key(recipe, 0, digest)

    monkeypatch.setenv(name, "other")

    assert "surroundings" not in usual.facts
    assert model_key(recipe, 0, digest).digest != usual.digest


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        {"KERAS_BACKEND": "jax"},
        {"NUMBA_DISABLE_JIT": "1"},
        {"NUMBA_OPT": "0", "PYTHONHASHSEED": "7", "LC_ALL": "C"},
        {"keras.json": '{"floatx": "float16"}'},
        {"keras.json": '{"floatx": "float64", "epsilon": 0.01}'},
        {"keras.json": '{"backend": "theano", "image_data_format": "channels_first"}'},
    ],
    ids=str,
)
def test_an_unusual_environment_trains_the_same_network(
    variables, rehearsal, process, surroundings, tmp_path
):
    """keras.json and variables change neither a figure nor a key."""
    (tmp_path / "keras.json").write_text(variables.pop("keras.json", "{}"))
    surroundings.setenv("KERAS_HOME", str(tmp_path))
    for name, value in variables.items():
        surroundings.setenv(name, value)

    ended = process(*ARGUMENTS, "--store", tmp_path / "store")

    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == rehearsal.evaluate("ann_1000", on="clean").to_json()
    entry = rehearsal.store.path(rehearsal.model_key("ann_1000"))
    assert (tmp_path / "store" / "models" / entry.name).read_bytes() == entry.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    ['{"floatx": "float128"}', "[]", '{"epsilon": 1}', '{"backend": "jax", "nnx_enabled": true}'],
)
def test_a_keras_json_that_keras_does_not_know_is_one_line(
    settings, process, surroundings, tmp_path
):
    """Keras's own failure at import is one line with the remedy."""
    (tmp_path / "keras.json").write_text(settings)
    surroundings.setenv("KERAS_HOME", str(tmp_path))

    ended = process(*ARGUMENTS, "--store", tmp_path / "store")

    assert ended.code == 2
    assert "mend or remove keras.json" in ended.error


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_for_keras_json_is_one_line(monkeypatch, tmp_path):
    """Keras would wait for somebody to write into it."""
    os.mkfifo(tmp_path / "keras.json")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    with pytest.raises(UsageError, match=r"\(not a regular file\): mend or"), standard_settings():
        pass


def test_keras_is_imported_where_there_is_no_home_folder(monkeypatch):
    """Keras itself asks for none."""
    for name in ("HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.setattr(backend, "import_keras", lambda: pytest.fail("it is imported"))

    with pytest.raises(pytest.fail.Exception, match="it is imported"), standard_settings():
        pass


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"])
def test_numerical_libraries_are_asked_for_one_thread(name, monkeypatch):
    """Also those of the processes that this one starts."""
    for each in backend._THREAD_VARIABLES:
        monkeypatch.setenv(each, "8")

    backend.limit_threads()

    assert os.environ[name] == "1"


def test_a_run_of_the_suite_uses_one_thread():
    """With workers and without: NumPy is loaded before the plugins can set a variable."""
    threads = {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    assert threads == {1}
