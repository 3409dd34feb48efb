"""Read a trained model from a file that anybody may have made.

A file is opened once and read whole. What comes out of it are numbers and names that are compared
with a list: nothing in it is run, imported or followed.
"""

import contextlib
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from mnistrobust.battery import archive, hdf5, keras_config, plain_arrays, plain_json
from mnistrobust.battery.keras_config import Plan
from mnistrobust.battery.layers import several, whole
from mnistrobust.battery.opening import is_pickle, read_whole
from mnistrobust.battery.refusal import MAX_FILE, RefusedError, quoted
from mnistrobust.models import ARCHITECTURES, architecture_named

Predict = Callable[[np.ndarray], np.ndarray]

_KERAS = ("config.json", "metadata.json", "model.weights.h5")
_HDF5 = (".h5", ".hdf5")
_FLAT = re.compile(r"(weight|arr_)([0-9]{1,3})")
_TENSOR = {"dtype", "shape", "data_offsets"}
_MAX_HEADER = 64 * 1024
_OFFSETS = several(whole(0, MAX_FILE), 2, 2)
_F32 = np.dtype("<f4")


def load(path: Path, *, arch: str | None = None, trust: bool = False) -> Predict:
    """Return the function of images (n, 784), float32 in [0, 1], to answers (n, 10 or 11).

    A `.keras` file holds its own architecture, of allow-listed layers; a file of weights (`.h5`,
    `.safetensors`, `.npz`) fills the architecture that `arch` names: ann, rnn or cnn. Other Keras
    files are loaded with `trust`, in a process with limits. Raises RefusedError, in one line.
    """
    if arch is not None:
        architecture_named(arch)
    suffix = path.suffix.lower()
    whole_model = arch is None and suffix in {".keras", *_HDF5}
    try:
        data = read_whole(path)
        try:
            return _read(data, suffix, arch)
        except RefusedError as error:
            if not (trust and error.trustable and whole_model):
                raise
        from mnistrobust.battery import trusted

        return trusted.load(data, suffix)
    except RefusedError as error:
        remedy = ""
        if error.trustable and whole_model and not trust:
            remedy = "; --trust loads it anyway, in a process with limits"
        raise RefusedError(f"{path}: refused: {error}{remedy}.", trustable=False) from error


def _read(data: bytes, suffix: str, arch: str | None) -> Predict:
    if is_pickle(data):
        raise RefusedError("a pickle, which may run any code", trustable=False)
    if suffix not in {".keras", ".safetensors", ".npz", *_HDF5}:
        raise RefusedError(
            f"the suffix {quoted(suffix)}: expected .keras, .h5, .safetensors or .npz",
            trustable=False,
        )
    try:
        if suffix == ".keras":
            if arch is not None:
                raise RefusedError("a .keras file holds its own architecture: leave out --arch")
            plan, weights = _of_keras(data)
        else:
            plan, weights = _of_weights(data, suffix, arch)
    except (RefusedError, ImportError):
        raise
    except Exception as error:  # a boundary: whatever a stranger's bytes provoke is a refusal
        reason = f"it is damaged ({type(error).__name__})"
        raise RefusedError(reason, trustable=False) from error
    return keras_config.build(plan, weights)


def _of_keras(data: bytes) -> tuple[Plan, list[list[np.ndarray]]]:
    with _beyond_trust():
        if not archive.is_zip(data):
            raise RefusedError("no .keras file: expected a zip archive")
        parts = archive.members(data, _KERAS.__contains__)
        missing = [name for name in _KERAS if name not in parts]
        if missing:
            raise RefusedError(f"the zip has no member {missing[0]}")
        facts = plain_json.parse(parts["metadata.json"], "metadata.json")
        if type(facts) is not dict or not all(type(each) is str for each in facts.values()):
            raise RefusedError("metadata.json has other values than texts")
        config = plain_json.parse(parts["config.json"], "config.json")
        _check_hdf5(parts["model.weights.h5"])
    plan = keras_config.plan_of(config)
    return plan, keras_config.fill(plan, hdf5.arrays_of(parts["model.weights.h5"]))


@contextlib.contextmanager
def _beyond_trust() -> Iterator[None]:
    """Refuse for good: Keras writes no such file, so that only an attack or damage explains it."""
    try:
        yield
    except RefusedError as error:
        raise RefusedError(str(error), trustable=False) from error


def _check_hdf5(data: bytes) -> None:
    if not hdf5.is_hdf5(data):
        raise RefusedError("no HDF5 file of weights", trustable=False)


def _of_weights(data: bytes, suffix: str, arch: str | None) -> tuple[Plan, list[list[np.ndarray]]]:
    if arch is None:
        if suffix in _HDF5:
            _of_hdf5(data)  # which says so where it is a whole model in the old format
        named = ", ".join(ARCHITECTURES)
        reason = f"a file of weights: name its architecture with --arch: {named}"
        raise RefusedError(reason, trustable=False)
    arrays = _READERS[suffix](data)
    flat = [(int(found[2]), name) for name in arrays if (found := _FLAT.fullmatch(name))]
    last = arrays[max(flat)[1]] if flat else _last_dense(arrays)
    classes = last.shape[-1] if last.ndim else 0
    if classes not in keras_config.CLASSES:
        raise RefusedError(
            f"the last weights have the shape {last.shape}: expected 10 or 11 classes"
        )
    model = architecture_named(arch).builder(classes)
    plan = keras_config.plan_of(json.loads(model.to_json()))
    if len(flat) == len(arrays):
        arrays = _placed(plan, arrays, flat)
    return plan, keras_config.fill(plan, arrays)


def _of_hdf5(data: bytes) -> dict[str, np.ndarray]:
    _check_hdf5(data)
    return hdf5.arrays_of(data)


def _of_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the format by hand: a length, a JSON header, and the arrays one after another."""
    if len(data) < 8:
        raise RefusedError("a truncated .safetensors file")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(_MAX_HEADER, len(data) - 8):
        raise RefusedError("no .safetensors file, or a truncated one")
    head = plain_json.parse(data[8 : 8 + length], "the header")
    if type(head) is not dict:
        raise RefusedError("the header is no mapping")
    body = data[8 + length :]
    head.pop("__metadata__", None)
    if not all(type(each) is dict and each.keys() == _TENSOR for each in head.values()):
        raise RefusedError(f"the header has other entries than {', '.join(sorted(_TENSOR))}")
    if not all(_OFFSETS(each["data_offsets"]) for each in head.values()):
        raise RefusedError("the header has other offsets than two integers")
    found, position = {}, 0
    for name, facts in sorted(head.items(), key=lambda item: item[1]["data_offsets"]):
        kind, shape, (start, end) = facts["dtype"], facts["shape"], facts["data_offsets"]
        if kind != "F32" or start != position:
            raise RefusedError(f"{quoted(name)} is {quoted(kind)} from byte {start}: expected F32")
        position = end
        found[name] = plain_arrays.array_of(body[start:end], _F32, shape, name)
    if position != len(body):
        raise RefusedError("the arrays do not fill the file")
    return found


def _of_npz(data: bytes) -> dict[str, np.ndarray]:
    found = plain_arrays.of_npz(data, lambda name: bool(_FLAT.fullmatch(name)))
    for name, array in found.items():
        if array.dtype != _F32:
            raise RefusedError(f"{quoted(name)} is {quoted(array.dtype)}: expected float32")
    return found


def _last_dense(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the last dense layer's first array, by the names of a Keras file."""
    pattern = re.compile(r"layers/dense(?:_([0-9]{1,3}))?/vars/0")
    dense = [(int(found[1] or 0), name) for name in arrays if (found := pattern.fullmatch(name))]
    if not dense:
        raise RefusedError("no weights of a dense layer under the names of a Keras file")
    return arrays[max(dense)[1]]


def _placed(
    plan: Plan, arrays: Mapping[str, np.ndarray], flat: list[tuple[int, str]]
) -> dict[str, np.ndarray]:
    """Give numbered arrays the names that a Keras file has for them."""
    if [number for number, _ in sorted(flat)] != list(range(len(plan.weights))):
        raise RefusedError(f"{len(flat)} arrays: expected {len(plan.weights)}, numbered from 0")
    ordered = [arrays[name] for _, name in sorted(flat)]
    return {weight.path: array for weight, array in zip(plan.weights, ordered, strict=True)}


_READERS: Mapping[str, Callable[[bytes], dict[str, np.ndarray]]] = {
    ".h5": _of_hdf5,
    ".hdf5": _of_hdf5,
    ".safetensors": _of_safetensors,
    ".npz": _of_npz,
}
