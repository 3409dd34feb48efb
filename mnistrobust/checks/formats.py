"""Model files: their content decides the format, its own library loads it.

A format that can run code needs trust.
"""

import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.checks.model import callable_of
from mnistrobust.checks.outputs import ModelError, checked_outputs, digit_order, naming

_FLOATS = {"tensor(float16)": "f2", "tensor(float)": "f4", "tensor(double)": "f8"}
_PICKLES = (".pkl", ".pickle", ".joblib")


@dataclass(frozen=True)
class File:
    """A loaded model: a function of images (n, …), as it states them, or recorded predictions."""

    predict: Callable[[np.ndarray], Any] | None
    input_shape: Any = None
    batch: int | None = None  # images a call, where it takes no other number
    recorded: Mapping[str, np.ndarray] = field(default_factory=dict)

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """Return the outputs (n, classes) for images."""
        assert self.predict is not None
        n = len(images)
        step = self.batch or n
        images = np.concatenate([images, np.repeat(images[:1], -n % step, axis=0)])
        parts = np.split(images, len(images) // step)
        return np.concatenate([checked_outputs(self.predict(part), step) for part in parts])[:n]

    def recorded_for(self, name: str, n: int) -> np.ndarray:
        """Return the predictions (n, classes) for a set of `n` images; ModelError without any."""
        if name not in self.recorded:
            raise ModelError(f"no predictions for the set {name!r}")
        with naming(name):
            return checked_outputs(self.recorded[name], n)


def load(path: Path, arch: str | None, *, trust: bool, framework: Callable[[], None]) -> File:
    """Load a file; `framework` is called before what needs more memory than data does."""
    name = format_of(path)
    if arch and name not in {"NPZ", "safetensors"}:
        raise ModelError(f"a file in the format {name} has its own architecture: leave out --arch")
    if name in TRUSTED and not trust:
        raise ModelError(
            f"a file in the format {name} can run code when it is loaded; where you trust it as "
            f"you trust a program: --trust"
        )
    if name == "NPZ" and not arch:
        return File(None, recorded=np.load(path, allow_pickle=False))
    if name != "ONNX":
        framework()
    if name in TRUSTED:
        file = TRUSTED[name](path)
    else:
        file = _onnx(path) if name == "ONNX" else _weights(path, arch, npz=name == "NPZ")
    size = (file.input_shape or [None])[0]
    return replace(file, batch=size if isinstance(size, int) and size > 0 else None)


def format_of(path: Path) -> str:
    """Return a file's format by its content; ModelError where it is none of a model."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "SavedModel"
        raise ModelError("a folder without saved_model.pb: expected a SavedModel")
    if path.name == "saved_model.pb":
        raise ModelError("one file of a SavedModel: name its folder, with --trust")
    with path.open("rb") as file:
        head = file.read(16)
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and length < path.stat().st_size:
        return "safetensors"
    if path.suffix.lower() in _PICKLES or (head[:1] == b"\x80" and head[1:2] <= b"\x05"):
        raise ModelError(
            "a pickle runs any code when it is read: write a module that loads it, and name "
            "my_module:model"
        )
    if head.startswith(b"PK\x03\x04"):
        return _zip_format(path)
    if head.startswith(b"\x89HDF"):
        return "HDF5"
    if head.isascii() and head.decode().strip().isprintable():
        raise ModelError(
            "a text, as a web page or a pointer of Git LFS is; get the model itself ('git lfs pull')"
        )
    if path.suffix.lower() == ".onnx" or head[:1] == b"\x08":
        return "ONNX"
    raise ModelError("no format of a model, by its content")


def _zip_format(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "config.json" in names and "metadata.json" in names:
        return "Keras"
    if any(name.endswith("/data.pkl") for name in names):
        scripted = any(name.endswith("/constants.pkl") for name in names)
        return "TorchScript" if scripted else "PyTorch"
    if names and all(name.endswith(".npy") for name in names):
        return "NPZ"
    raise ModelError("a zip that is neither .keras, .npz nor of PyTorch")


def _onnx(path: Path) -> File:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ModelError("ONNX needs: pip install 'mnistrobust[onnx]'") from error
    model = onnx.load(path)  # with the data beside it; nothing outside its folder
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _FLOATS:
        raise ModelError(
            f"it takes {', '.join(f'{each.name} {each.type}' for each in inputs) or 'nothing'}: "
            f"expected one input of floats"
        )
    name, kind = inputs[0].name, _FLOATS[inputs[0].type]
    scores = [each for each in session.get_outputs() if _is_scores(each)]
    if not scores:
        raise ModelError("it has no output (n, 10) or (n, 11)")

    def predict(images: np.ndarray) -> Any:
        (outputs,) = session.run([scores[0].name], {name: images.astype(kind)})
        if isinstance(outputs, list):  # what scikit-learn's converter makes: mappings
            labels = list(outputs[0])
            order = digit_order(labels, "classes")
            return np.array([[row[labels[at]] for at in order] for row in outputs])
        return outputs

    return File(predict, inputs[0].shape)


def _is_scores(output: Any) -> bool:
    if output.type.startswith("seq(map("):
        return "float" in output.type
    sizes = [size for size in (output.shape or ())[1:] if size != 1]
    known = len(sizes) == 1 and isinstance(sizes[0], int)  # else a file leaves the size open
    return output.type in _FLOATS and (sizes[0] in {10, 11} if known else len(sizes) <= 1)


def _weights(path: Path, arch: str | None, *, npz: bool) -> File:
    from safetensors.numpy import load_file

    from mnistrobust.models import ARCHITECTURES

    with np.load(path, allow_pickle=False) if npz else nullcontext(load_file(path)) as found:
        arrays = dict(found)
    if arch is None or arch not in ARCHITECTURES:
        raise ModelError(f"a file of weights: name its --arch: {', '.join(ARCHITECTURES)}")
    numbered = [name for name in arrays if re.fullmatch(r"[a-z_]+\d{1,3}", name)]
    if not numbered or len(numbered) < len(arrays):
        raise ModelError("expected weights named weight00, weight01, …, in the order of Keras")
    ordered = [arrays[name] for name in sorted(numbered, key=lambda name: (len(name), name))]
    if ordered[-1].shape not in {(10,), (11,)}:
        raise ModelError(f"its last array is {ordered[-1].shape}: expected 10 or 11 biases")
    model = ARCHITECTURES[arch].builder(len(ordered[-1]))
    shapes = [weight.shape for weight in model.weights]
    if [array.shape for array in ordered] != shapes:
        raise ModelError(f"its arrays are none of {arch}: expected {', '.join(map(str, shapes))}")
    model.set_weights(ordered)
    return File(model.predict_on_batch, model.input_shape)


def _keras(path: Path, suffix: str) -> File:
    from mnistrobust.backend import import_keras

    keras = import_keras()
    rightly = path.suffix == suffix  # Keras goes by it
    with nullcontext("") if rightly else tempfile.TemporaryDirectory() as folder:
        link = path if rightly else Path(folder) / f"model{suffix}"
        if not rightly:
            link.symlink_to(path)
        try:
            model = keras.models.load_model(str(link), compile=False, safe_mode=False)
        except TypeError as error:  # Keras's own line is about deserialisation
            raise ModelError(
                "Keras does not know a layer of it: for layers of your own, name my_module:model"
            ) from error
    if len(getattr(model, "inputs", None) or [0]) != 1:
        raise ModelError(f"it takes {len(model.inputs)} inputs: expected one")
    return File(model.predict_on_batch, getattr(model, "input_shape", None))


def _saved_model(path: Path) -> File:
    from mnistrobust.backend import import_keras

    import_keras()
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise ModelError("a SavedModel without the signature serving_default")
    signature = loaded.signatures["serving_default"]
    takes = signature.structured_input_signature[1]
    if len(takes) != 1:
        raise ModelError(f"it takes {len(takes)} inputs: expected one")
    ((name, given),) = takes.items()

    def predict(images: np.ndarray, _keep: Any = loaded) -> Any:
        return signature(**{name: tf.cast(images, given.dtype)})

    return File(predict, None if given.shape.rank is None else given.shape.as_list())


def _torch(path: Path, *, scripted: bool) -> File:
    try:
        import torch
    except ImportError as error:
        raise ModelError("a file of PyTorch, which is not installed: pip install torch") from error

    torch.set_num_threads(1)
    read = torch.jit.load if scripted else partial(torch.load, weights_only=False)
    module = read(str(path), map_location="cpu")
    if isinstance(module, Mapping):
        raise ModelError("a state_dict has weights only: save the module, or name my_module:model")
    return File(callable_of(module))


TRUSTED: Mapping[str, Callable[[Path], File]] = {
    "Keras": partial(_keras, suffix=".keras"),
    "HDF5": partial(_keras, suffix=".h5"),
    "SavedModel": _saved_model,
    "TorchScript": partial(_torch, scripted=True),
    "PyTorch": partial(_torch, scripted=False),
}
