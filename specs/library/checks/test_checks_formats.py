"""Model files without a process: what decides the format, and how each kind is loaded and asked."""

import resource
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mnistrobust import backend, models
from mnistrobust.checks import formats, server
from mnistrobust.checks.formats import File
from mnistrobust.checks.outputs import ModelError
from specs.library.checks import hostile

IMAGES = np.random.default_rng(0).random((7, 784), dtype=np.float32)
KERAS = {"config_json": b"{}", "metadata_json": b"{}", "model_weights_h5": b"\x89HDF"}
TORCH = {"net__data_pkl": b"", "net__version": b"3"}
ZIP = "a zip that is neither"


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.onnx", hostile.safetensors_bytes(), "safetensors"),
        ("a", b"\x08" * 8 + b"{" + bytes(9), "ONNX"),  # longer than the file
        ("a.onnx", hostile.zip_bytes(**KERAS), "Keras"),
        ("a.keras", hostile.zip_bytes(config_json=b"{}"), ZIP),
        ("a.npz", hostile.zip_bytes(**TORCH), "PyTorch"),
        ("a.npz", hostile.zip_bytes(**TORCH, net__constants_pkl=b""), "TorchScript"),
        ("a.pt", hostile.npz_bytes(a=np.zeros(1)), "NPZ"),
        ("a.npz", hostile.zip_bytes(a_npy=b"", b_txt=b""), ZIP),
        ("a.onnx", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("a.onnx", b"\x80\x02K\x01.", "a pickle runs any code"),
        ("a.h5", b"\x80\x05K\x01.", "a pickle runs any code"),
        ("a.JOBLIB", b"\xff" * 20, "a pickle runs any code"),
        ("a.bin", b"\x80\x06K\x01.", "no format of a model"),
        ("a.ONNX", b"\xff" * 20, "ONNX"),
        ("a.bin", b"\x08\x08\xff", "ONNX"),
        ("a.onnx", b"oid sha256:9\n", "a text"),
        ("saved_model.pb", b"\x08\x01", "one file of a SavedModel: name its folder"),
        ("a/saved_model.pb", b"", "SavedModel"),
        ("a/b.pb", b"", "a folder without saved_model.pb"),
    ],
)
def test_the_first_bytes_are_those_of_a_format(name, content, found, tmp_path):
    """Or of a zip its members; a name counts for pickles, and where nothing else tells ONNX."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    path = file if file.parent == tmp_path else file.parent

    try:
        told = formats.format_of(path)
    except ModelError as error:
        told = str(error)

    assert told.startswith(found)


@pytest.mark.parametrize(
    ("kind", "shape", "scores"),
    [
        ("tensor(float)", ["n", 10], True),
        ("tensor(float16)", ["n", 1, 11, 1], True),
        ("tensor(float)", ["n", 9], False),
        ("tensor(float)", ["n", "classes"], True),
        ("tensor(float)", ["n", "a", "b"], False),
        ("tensor(float)", [10, 7, 10], False),
        ("tensor(float)", None, True),
        ("tensor(int64)", ["n"], False),
        ("seq(map(int64,tensor(float)))", [], True),
        ("seq(map(int64,string))", [], False),
    ],
)
def test_an_onnx_output_is_of_scores_by_type_and_size(kind, shape, scores):
    """A size that the file leaves open may be that of the classes."""
    assert formats._is_scores(SimpleNamespace(type=kind, shape=shape)) is scores


@pytest.mark.parametrize("kind", ["float16", "float", "double"])
def test_an_onnx_model_gets_the_floats_that_it_states(kind, monkeypatch, tmp_path):
    """Whatever the pixels are; here of a stand-in for onnxruntime."""
    stated = SimpleNamespace(name="x", type=f"tensor({kind})", shape=["n", 784])
    scores = SimpleNamespace(name="y", type=f"tensor({kind})", shape=["n", 10])
    session = SimpleNamespace(
        get_inputs=lambda: [stated],
        get_outputs=lambda: [scores],
        run=lambda names, given: [(names, {name: each.dtype for name, each in given.items()})],
    )
    runtime = ModuleType("onnxruntime")
    started = []
    runtime.SessionOptions = SimpleNamespace
    runtime.InferenceSession = lambda _, *given, **how: started.append((*given, how)) or session
    loaded = SimpleNamespace(SerializeToString=bytes)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setitem(sys.modules, "onnx", SimpleNamespace(load=lambda _: loaded))

    asked, types = formats._onnx(tmp_path / "a.onnx").predict(IMAGES)

    sizes = {"float16": 2, "float": 4, "double": 8}
    assert (asked, types) == (["y"], {"x": np.dtype(f"f{sizes[kind]}")})
    ((options, how),) = started
    assert (options.intra_op_num_threads, how) == (1, {"providers": ["CPUExecutionProvider"]})


@pytest.mark.parametrize(
    ("batch", "calls"), [(None, [7]), (5, [5, 5]), (7, [7]), (1, [1] * 7), (9, [9])]
)
def test_a_fixed_batch_is_filled_up(batch, calls):
    """What fills it up is dropped; the images keep their order."""
    sizes = []

    def predict(images):
        sizes.append(len(images))
        return images[:, 300:310]

    found = File(predict, batch=batch).outputs(IMAGES)

    np.testing.assert_array_equal(found, IMAGES[:, 300:310])
    assert sizes == calls


class Network:
    """A network of twelve arrays for images (28, 28), in batches of five."""

    input_shape = (5, 28, 28)

    def __init__(self, classes):
        self.weights = [np.zeros((2, n + 1)) for n in range(11)] + [np.zeros(classes)]

    def set_weights(self, weights):
        self.weights = weights

    def predict_on_batch(self, images):
        return np.tile(self.weights[-1], (len(images), 1))


@pytest.fixture
def network(monkeypatch):
    """The arrays of the only architecture that is known, `net`, with eleven biases."""
    monkeypatch.setattr(models, "ARCHITECTURES", {"net": SimpleNamespace(builder=Network)})
    arrays = Network(11).weights
    arrays[-1] = np.arange(11, dtype=np.float32)
    return arrays


def opened(path, arch=None, *, trust=False):
    """The file, and whether its loading may take a framework's memory."""
    told = []
    return formats.load(path, arch, trust=trust, framework=lambda: told.append(True)), bool(told)


@pytest.mark.parametrize("save", [hostile.npz_bytes, hostile.safetensors_bytes])
def test_weights_are_put_into_their_architecture_by_number(save, network, tmp_path):
    """The tenth after the ninth; the batch is the network's own."""
    path = tmp_path / "a"
    path.write_bytes(save(**{f"weight{n}": each for n, each in enumerate(network)}))

    file, framework = opened(path, "net")

    assert framework
    assert (file.input_shape, file.batch) == ((5, 28, 28), 5)
    assert file.outputs(IMAGES.reshape(-1, 28, 28)).tolist() == [list(range(11))] * 7


@pytest.mark.parametrize(
    ("change", "arch", "line"),
    [
        ({}, None, "a file of weights: name its --arch: net$"),
        ({}, "ann", "a file of weights: name its --arch: net$"),
        ({"bias": np.zeros(2)}, "net", "expected weights named weight00, weight01"),
        ({"weight12": np.zeros(3)}, "net", r"its last array is \(3,\): expected 10 or 11 biases"),
        ({"weight12": np.zeros(10)}, "net", r"its arrays are none of net: expected \(2, 1\), .*"),
    ],
)
def test_weights_that_fit_no_architecture_are_one_line(change, arch, line, network, tmp_path):
    """With the names that are known, and what was expected."""
    arrays = {f"weight{n:02}": each for n, each in enumerate(network)} | change
    (tmp_path / "a").write_bytes(hostile.safetensors_bytes(**arrays))

    with pytest.raises(ModelError, match=line):
        opened(tmp_path / "a", arch)


@pytest.mark.usefixtures("network")
def test_what_a_file_may_do_is_asked_before_it_is_read(tmp_path, monkeypatch):
    """A pickle in an .npz is refused; code needs trust; only weights need an architecture."""
    path = tmp_path / "a"
    path.write_bytes(hostile.npz_bytes(clean=np.eye(10), odd=np.array([None])))
    file, framework = opened(path)

    assert not framework
    np.testing.assert_array_equal(file.recorded_for("clean", 10), np.eye(10))
    with pytest.raises(ModelError, match="no predictions for the set 'blank'"):
        file.recorded_for("blank", 10)
    for refused in (lambda: file.recorded_for("odd", 1), lambda: opened(path, "net")):
        with pytest.raises((ModelError, ValueError), match="allow_pickle=False"):
            refused()
    file.recorded.close()

    path.write_bytes(b"\x89HDF")
    monkeypatch.setattr(formats, "TRUSTED", {"HDF5": lambda _: File(len, ("n", 784))})
    with pytest.raises(ModelError, match=r"HDF5 can run code when it is loaded; .*--trust"):
        opened(path)
    with pytest.raises(ModelError, match="HDF5 has its own architecture: leave out --arch"):
        opened(path, "net", trust=True)
    assert opened(path, trust=True) == (File(len, ("n", 784)), True)

    path.write_bytes(b"\x08")
    monkeypatch.setattr(formats, "_onnx", lambda _: File(len, (5, 784)))
    assert opened(path) == (File(len, (5, 784), 5), False)


def test_keras_gets_a_file_under_the_name_it_goes_by(tmp_path, monkeypatch):
    """Not compiled; what it does not know, and several inputs, are one line."""
    read, networks = [], iter([SimpleNamespace(inputs=[1]), Network(10), None, Network(10)])

    def load_model(name, **how):
        read.append((Path(name).suffix, Path(name).resolve().name, how))
        model = next(networks)
        if model is None:
            raise TypeError("deserialisation")
        model.predict_on_batch = len
        return model

    keras = SimpleNamespace(models=SimpleNamespace(load_model=load_model))
    monkeypatch.setattr(backend, "import_keras", lambda: keras)

    assert formats._keras(tmp_path / "a.h5", ".h5") == File(len, None)
    assert formats._keras(tmp_path / "a.onnx", ".h5") == File(len, (5, 28, 28))
    with pytest.raises(ModelError, match=r"does not know a layer of it: .* name my_module:model"):
        formats._keras(tmp_path / "a.h5", ".h5")
    monkeypatch.setattr(Network, "inputs", [1, 2], raising=False)
    with pytest.raises(ModelError, match="it takes 2 inputs: expected one"):
        formats._keras(tmp_path / "a.keras", ".keras")

    names = [(".h5", "a.h5"), (".h5", "a.onnx"), (".h5", "a.h5"), (".keras", "a.keras")]
    assert read == [(*each, {"compile": False, "safe_mode": False}) for each in names]


@pytest.mark.parametrize(("shape", "stated"), [((5, 784), (5, [5, 784])), (None, (None, None))])
def test_a_saved_model_is_asked_by_its_signature(shape, stated, tmp_path, monkeypatch):
    """Under the name of its one input, with its type; a shape may be open."""
    given = SimpleNamespace(
        dtype="half", shape=SimpleNamespace(rank=shape and len(shape), as_list=lambda: [*shape])
    )

    class Signature:
        structured_input_signature = ((), {"x": given})
        __call__ = staticmethod(dict)

    loaded = SimpleNamespace(signatures={"serving_default": Signature()})
    tensorflow = ModuleType("tensorflow")
    tensorflow.saved_model = SimpleNamespace(load={str(tmp_path): loaded}.__getitem__)
    tensorflow.cast = lambda *given: given
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    monkeypatch.setattr(backend, "import_keras", bool)
    (tmp_path / "saved_model.pb").touch()

    file, framework = opened(tmp_path, trust=True)

    assert framework
    assert (file.batch, file.input_shape) == stated
    assert file.predict(3) == {"x": (3, "half")}
    Signature.structured_input_signature = ((), {})
    with pytest.raises(ModelError, match="it takes 0 inputs: expected one"):
        opened(tmp_path, trust=True)
    loaded.signatures.clear()
    with pytest.raises(ModelError, match="without the signature serving_default"):
        opened(tmp_path, trust=True)


def test_pytorch_reads_whole_modules_on_one_thread(tmp_path, monkeypatch):
    """Scripted ones by another function; weights alone are refused."""
    read = []

    def reader(kind, given):
        return lambda path, **how: read.append((kind, path, how)) or given

    torch = ModuleType("torch")
    torch.nn = SimpleNamespace(Module=Network)
    torch.set_num_threads = read.append
    torch.load, torch.jit = reader("pickled", len), SimpleNamespace(load=reader("scripted", abs))
    monkeypatch.setitem(sys.modules, "torch", torch)

    found = [formats._torch(tmp_path, scripted=each).predict for each in (True, False)]
    torch.load = lambda *_, **__: {"weight": 1}
    with pytest.raises(ModelError, match="a state_dict has weights only"):
        formats._torch(tmp_path, scripted=False)

    assert found == [abs, len]
    assert read == [
        1,
        ("scripted", str(tmp_path), {"map_location": "cpu"}),
        1,
        ("pickled", str(tmp_path), {"weights_only": False, "map_location": "cpu"}),
        1,
    ]


@pytest.mark.parametrize(("hard", "soft"), [(resource.RLIM_INFINITY, 9), (20, 9), (4, 4)])
def test_memory_is_limited_within_the_systems_own_limit(hard, soft, monkeypatch):
    """And a crash writes no memory to the disk."""
    limits = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)

    server.limit_memory(9)

    assert limits == {resource.RLIMIT_AS: (soft, hard), resource.RLIMIT_CORE: (0, 0)}
