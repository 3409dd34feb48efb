"""Model files of strangers: hostile ones are refused, and good ones answer as in Keras."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistrobust.battery import files, keras_config, trusted
from mnistrobust.battery.child import Child
from mnistrobust.battery.opening import is_pickle
from mnistrobust.battery.refusal import RefusedError

FOLDER = Path(files.__file__).parent

_READ = """
import json, resource, sys, time
from pathlib import Path
from mnistrobust.battery import files
from mnistrobust.battery.refusal import RefusedError

def now():
    own, others = (resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime

before, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {}
for path, arch in json.load(sys.stdin):
    start = now()
    try:
        files.load(Path(path), arch=arch)
        said = None
    except RefusedError as error:
        said = str(error)
    found[path] = said, now() - start
own, others = (resource.getrusage(each).ru_maxrss for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([found, own - before, others, "tensorflow" in sys.modules]))
"""


def snapshot(folder):
    """What a folder holds: a read changes nothing of it."""
    status = ((each, each.lstat()) for each in sorted(folder.rglob("*")))
    return [(str(each), s.st_mode, s.st_size, s.st_mtime_ns, s.st_ino) for each, s in status]


@pytest.mark.slow
def test_a_hostile_corpus_is_refused_file_by_file(tmp_path):
    """Each in one printable line, with nothing run or touched, in bounded memory and time."""
    from hostile_files import write_corpus  # here, for h5py takes a while to load

    corpus = write_corpus(tmp_path)
    before = snapshot(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _READ],
        input=json.dumps([(str(path), arch) for path, arch in corpus]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, grown, child, tensorflow = json.loads(done.stdout)

    assert len(found) == len(corpus) >= 40
    assert [path for path, (said, _) in found.items() if said is None] == []
    assert [said for said, _ in found.values() if not said.isprintable() or len(said) > 700] == []
    assert [path for path, (said, _) in found.items() if "is damaged (" in said] == []
    assert [path for path, (_, seconds) in found.items() if seconds > 10] == []
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "canary").exists()
    assert grown < 150_000, "KiB"
    assert child < 400_000, "KiB"
    assert not tensorflow


@pytest.mark.slow
def test_the_good_file_that_the_corpus_changes_is_read(tmp_path):
    """So that each hostile file is refused for what it differs in; a link to it is a file too."""
    from hostile_files import keras_file

    path = tmp_path / "good.keras"
    path.write_bytes(keras_file())
    (tmp_path / "link.keras").symlink_to(path)
    images = np.random.default_rng(0).random((3, 784), dtype=np.float32)

    answers = files.load(path)(images)

    assert answers.shape == (3, 10)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(files.load(tmp_path / "link.keras")(images), answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("hours of pooling", "products an image"),
        ("hours of activations", "products an image"),
        ("hours of steps", "a sequence of 12544 steps"),
        ("two inputs", "expected an InputLayer, then others"),
    ],
)
def test_a_configuration_is_refused_before_any_weights(name, line):
    """For what it asks for, whatever weights there are to it."""
    from hostile_files import sizes

    with pytest.raises(RefusedError, match=line):
        keras_config.plan_of(sizes()[name])


@pytest.mark.slow
def test_trust_is_offered_for_what_keras_may_have_written_only(tmp_path):
    """Not for damage, for links, nor for what lies in other files: nothing explains them but harm."""
    from hostile_files import config_of, keras_file, layer
    from hostile_hdf5 import KERNEL, hdf5_of, hostile_hdf5

    def said(data, suffix=".keras"):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(data)
        with pytest.raises(RefusedError) as caught:
            files.load(path)
        return str(caught.value)

    hdf5 = hostile_hdf5(str(tmp_path / "bait"))
    for name in (
        *("external link", "soft link", "virtual data set", "external storage", "shape bomb"),
        *("one array twice", "references", "gzip", "damaged inside", "truncated"),
    ):
        assert "--trust" not in said(keras_file(weights=hdf5[name])), name
    for name in ("float16", "NaN", "many groups", "missing bias"):
        assert "--trust loads it anyway" in said(keras_file(weights=hdf5[name])), name
    assert "--trust loads it anyway" in said(keras_file(config_of(layer("Masking"), layer())))
    alone = said(hdf5_of(), ".h5")
    assert ("--arch: ann, rnn, cnn" in alone, "--trust" in alone) == (True, False)
    old = said(hdf5_of(lambda file: file.attrs.create("model_config", "{}")), ".h5")
    assert "Keras's old format: save it as .keras; --trust loads it anyway" in old
    assert KERNEL in said(keras_file(weights=hdf5["gzip"]))


def test_a_pickle_is_refused_with_trust_too(tmp_path):
    """Nothing makes a pickle safe to read: no option offers it, under any suffix."""
    for name in ("model.pkl", "model.keras", "model.h5", "model.npz"):
        path = tmp_path / name
        path.write_bytes(b"\x80\x04N.")
        with pytest.raises(RefusedError, match="a pickle") as caught:
            files.load(path, trust=True)
        assert "--trust" not in str(caught.value)
    assert not is_pickle(struct.pack("<Q", 0x0180) + b'{"weight00"')  # of a .safetensors file


def variants(keras):
    """Sequential models of everything that is read, by name."""
    layers = keras.layers
    return {
        "ann of 11": [layers.Input((784,)), layers.Dense(5, "gelu"), layers.Dense(11)],
        "convolutions": [
            layers.Input((784,)),
            layers.Rescaling(2.0, offset=-0.5),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(4, (3, 2), padding="same", strides=2, activation="relu", name="my_conv"),
            layers.BatchNormalization(epsilon=0.01, scale=False),
            layers.LeakyReLU(0.2),
            layers.SpatialDropout2D(0.1),
            layers.AveragePooling2D(2),
            layers.Conv2D(3, 2, use_bias=False, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.MaxPooling2D(2, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, kernel_constraint="max_norm"),
            layers.Softmax(),
        ],
        "recurrent": [
            layers.Input((28, 28)),
            layers.GaussianNoise(0.1),
            layers.GRU(6, return_sequences=True, dropout=0.1),
            layers.GRU(5, return_sequences=True, reset_after=False, go_backwards=True),
            layers.SimpleRNN(5, return_sequences=True, use_bias=False),
            layers.LSTM(6, recurrent_activation="hard_sigmoid", unit_forget_bias=False),
            layers.Dense(10),
            layers.Activation("softmax"),
        ],
        "pooled over time": [
            layers.Input((28, 28)),
            layers.LSTM(4, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Flatten(),
            layers.GaussianDropout(0.1),
            layers.Dense(10),
        ],
    }


@pytest.fixture(scope="module")
def keras():
    from mnistrobust.backend import import_keras

    return import_keras()


def moved(model):
    """Give a model weights other than the initial ones, running means and variances included."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.01, 0.2, each.shape) for each in model.get_weights()])
    return model


@pytest.mark.slow
def test_good_models_answer_as_in_keras(keras, tmp_path):
    """A .keras file gives Keras's own answers, to 1e-6, for all layers that are read."""
    from mnistrobust.models import ARCHITECTURES

    models = {name: keras.Sequential(each) for name, each in variants(keras).items()}
    models |= {name: each.builder(10) for name, each in ARCHITECTURES.items()}
    images = np.random.default_rng(0).random((20, 784), dtype=np.float32)
    trained = models["ann of 11"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile("adam", loss, metrics=["accuracy"])
    trained.fit(images, np.zeros(20), verbose=0)
    for name, model in models.items():
        moved(model).save(tmp_path / f"{name}.keras")
        own = model.predict(images.reshape(20, *model.input_shape[1:]), verbose=0)

        read = files.load(tmp_path / f"{name}.keras")(images)

        np.testing.assert_allclose(read, own, atol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.usefixtures("keras")
def test_weights_fill_the_named_architecture(tmp_path):
    """A file of weights answers as the model that it came from, in each of the formats."""
    from safetensors.numpy import save_file

    from mnistrobust.models import create_rnn

    model = moved(create_rnn(11))
    images = np.random.default_rng(0).random((5, 784), dtype=np.float32)
    own = model.predict(images.reshape(5, 28, 28), verbose=0)
    weights = model.get_weights()
    model.save_weights(tmp_path / "a.weights.h5")
    np.savez(tmp_path / "a.npz", *weights)
    save_file({f"weight{i:02}": each for i, each in enumerate(weights)}, tmp_path / "a.safetensors")

    for name in ("a.weights.h5", "a.npz", "a.safetensors"):
        np.testing.assert_allclose(files.load(tmp_path / name, arch="rnn")(images), own, atol=1e-6)
        with pytest.raises(RefusedError, match=r"name its architecture with --arch"):
            files.load(tmp_path / name)
        with pytest.raises(RefusedError, match=r"no layer has|numbered from 0|expected float32"):
            files.load(tmp_path / name, arch="ann")


@pytest.fixture(scope="module")
def doubling(keras, tmp_path_factory):
    """A file with a Lambda layer, whose code makes a long text, and the model."""
    layers = keras.layers
    twice = layers.Lambda(lambda x: x + x if len(x.shape) == 2 else x * x + x * x * x - x / x)
    model = keras.Sequential([layers.Input((784,)), layers.Dense(10), twice])
    path = tmp_path_factory.mktemp("models") / "lambda.keras"
    model.save(path)
    return path, model


@pytest.mark.slow
def test_trust_loads_what_is_refused_in_a_process_with_limits(doubling):
    """A Lambda layer is refused, and answers with trust."""
    path, model = doubling
    images = np.random.default_rng(0).random((5, 784), dtype=np.float32)

    with pytest.raises(RefusedError, match=r"'Lambda'.* --trust loads it anyway"):
        files.load(path)
    answers = files.load(path, trust=True)(images)

    np.testing.assert_allclose(answers, model.predict(images, verbose=0), atol=1e-6)


@pytest.mark.slow
def test_trust_names_the_way_for_a_layer_of_ones_own(keras, tmp_path):
    """Nothing in a file says how to make it: its module has to be named."""

    class Squash(keras.layers.Layer):
        def call(self, x):
            return x / (1 + abs(x))

    path = tmp_path / "squash.keras"
    keras.Sequential([keras.layers.Input((784,)), keras.layers.Dense(10), Squash()]).save(path)

    with pytest.raises(RefusedError, match="load it in a module and name my_module:model"):
        files.load(path, trust=True)


@pytest.mark.slow
def test_trust_ends_what_takes_too_long(doubling, monkeypatch):
    """A file that is not loaded in time is ended on the clock, with one line."""
    monkeypatch.setattr(trusted, "LOADING", 0.5)

    with pytest.raises(RefusedError, match="takes more than 0 s"):
        files.load(doubling[0], trust=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are kept by Linux")
@pytest.mark.parametrize(
    ("harm", "ends"),
    [
        ("bytearray(16 * 2**30)", "MemoryError"),
        ("open('small', 'w', 1).write('x\\n')", "OSError"),
        ("os.fork() or time.sleep(600)", "takes more than"),
    ],
)
def test_trust_limits_memory_writing_and_time(tmp_path, harm, ends):
    """What wants too much breaks off with one line, with all that it has started; we go on."""
    script = tmp_path / "harm.py"
    script.write_text(
        f"import os, struct, sys, time\nsys.path.insert(0, {str(FOLDER)!r})\nimport limits\n"
        f"limits.limit(memory=2 * 2**30, seconds=60)\nlimits.forbid_files(reading=True)\n"
        f"try: {harm}\nexcept Exception as error:\n"
        f"    text = type(error).__name__.encode()\n"
        f"    os.write(1, struct.pack('>8sI', b'error', len(text)) + text)\n",
        "utf-8",
    )
    child = Child(str(script))

    with pytest.raises(RefusedError, match=ends), child.within(10):
        trusted._heard(child, b"ready")
    child.close()
