"""Files that are no models, made by kind: damaged, lying about their format, greedy, or armed.

A canary is a file that appears when something of a hostile file is run.
"""

import io
import os
import pickle
import struct
import zipfile

import numpy as np

SUFFIXES = (".onnx", ".safetensors", ".npz", ".keras", ".h5", ".pt")


class Armed:
    """Writes the canary when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def onnx_bytes(
    make=None, *, shape=("n", 784), classes=10, inputs=(), domain="", kind=None, floats=np.float32
):
    """A linear ONNX model; `make` changes it."""
    from onnx import helper, numpy_helper

    weights = np.linspace(-1, 1, 784 * classes, dtype=floats).reshape(784, classes)
    numbers = helper.np_dtype_to_tensor_dtype(weights.dtype)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"], domain=domain),
    ]
    given = [helper.make_tensor_value_info("x", kind or numbers, shape), *inputs]
    scores = helper.make_tensor_value_info("y", numbers, [shape[0], classes])
    graph = helper.make_graph(nodes, "g", given, [scores], [numpy_helper.from_array(weights, "w")])
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if make:
        make(model)
    return model.SerializeToString()


def without_shape(model):
    """Let an ONNX model say nothing of the shape of its output, as some exporters do."""
    model.graph.output[0].type.tensor_type.ClearField("shape")


def sequence(model):
    """Let an ONNX model give a list of arrays."""
    from onnx import TensorProto, helper

    model.graph.node.append(helper.make_node("SequenceConstruct", ["y"], ["list"]))
    scores = helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None)
    model.graph.output[0].CopyFrom(scores)


def outside(location):
    """Let an ONNX model's weights lie in a file elsewhere."""

    def make(model):
        from onnx.external_data_helper import set_external_data

        (weights,) = model.graph.initializer
        set_external_data(weights, location=str(location))
        weights.ClearField("raw_data")

    return make


def of_constant(size):
    """Let an ONNX model add a constant of so many floats, which its file does not hold."""

    def make(model):
        from onnx import TensorProto, helper

        one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
        shape = helper.make_tensor("shape", TensorProto.INT64, [1], [size])
        model.graph.initializer.append(shape)
        y = model.graph.output[0].name
        model.graph.node[-1].output[0] = "before"
        model.graph.node.extend(
            [
                helper.make_node("ConstantOfShape", ["shape"], ["large"], value=one),
                helper.make_node("ReduceMean", ["large"], ["mean"], keepdims=0),
                helper.make_node("Mul", ["before", "mean"], [y]),
            ]
        )

    return make


def endless(model):
    """Let an ONNX model loop for ever."""
    from onnx import TensorProto, helper

    inside = [
        helper.make_node("Identity", ["going"], ["goes_on"]),
        helper.make_node("Identity", ["state"], ["next"]),
    ]
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        inside,
        "body",
        [value("i", TensorProto.INT64, []), value("going", TensorProto.BOOL, []),
         value("state", TensorProto.FLOAT, None)],
        [value("goes_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )  # fmt: skip
    model.graph.initializer.extend(
        [
            helper.make_tensor("times", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ]
    )
    y = model.graph.output[0].name
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("Loop", ["times", "yes", "before"], [y], body=body))


def safetensors_bytes(**arrays):
    from safetensors.numpy import save

    return save(arrays or {"weight00": np.zeros((784, 10), np.float32)})


def zip_bytes(**members):
    """A zip of members, `_` standing for a dot in their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


def npy_bytes(shape, data=b"", descr="<f4"):
    """An array's file, with a header that claims any shape."""
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    head = head.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def good():
    """Files that begin as a model of each format does, by format."""
    return {
        "onnx": onnx_bytes(),
        "safetensors": safetensors_bytes(),
        "npz": npz_bytes(clean=np.zeros((1000, 10))),
        "keras": zip_bytes(config_json="{}", metadata_json="{}", model_weights_h5="x"),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(600),
        "torch": zip_bytes(m__data_pkl=pickle.dumps(1), m__version="3"),
        "script": zip_bytes(m__data_pkl=pickle.dumps(1), m__constants_pkl="x"),
    }


def damaged(content):
    """What may happen to a file on its way, by name."""
    middle = len(content) // 2
    return {
        "head only": content[:9],
        "half": content[:middle],
        "tail cut": content[:-7],
        "tail only": content[7:],
        "zeros at the head": bytes(64) + content[64:],
    }


def greedy():
    """Files that want more memory or numbers than they have bytes, by name with suffix."""
    blank = bytes(64 * 2**20)
    return {
        "constant of 4 GB.onnx": onnx_bytes(of_constant(10**9)),
        "array of 8 TB.npz": zip_bytes(clean_npy=npy_bytes((1000, 2**31))),
        "array of 4 GB.npz": zip_bytes(clean_npy=npy_bytes((1000, 10**6), blank)),
        "objects of 4 GB.npz": zip_bytes(clean_npy=npy_bytes((1000, 10**6), descr="|O")),
        "no array.npz": zip_bytes(clean_npy=b"no array"),
        "negative.npz": zip_bytes(clean_npy=npy_bytes((-1, 10), bytes(40))),
        "bomb.keras": zip_bytes(config_json=blank, metadata_json=blank, model_weights_h5=blank),
        "many members.keras": zip_bytes(**{f"m{i}": "" for i in range(20_000)}),
        "long header.safetensors": struct.pack("<Q", 2**40) + b"{" + bytes(100),
        "offsets.safetensors": _header({"a": ("F32", [2**40], [0, 2**42])}),
        "overlap.safetensors": _header({"a": ("F32", [2], [0, 8]), "b": ("F32", [2], [4, 12])}),
        "deep.safetensors": _framed(b"{" + b'"a":[' * 10_000),
    }


def _header(entries):
    import json

    head = {
        name: {"dtype": kind, "shape": shape, "data_offsets": offsets}
        for name, (kind, shape, offsets) in entries.items()
    }
    return _framed(json.dumps(head).encode()) + bytes(12)


def _framed(head):
    return struct.pack("<Q", len(head)) + head


def armed(canary):
    """Files that would write the canary if they were trusted, by name with suffix."""
    pickles = {f"protocol {n}": pickle.dumps(Armed(canary), protocol=n) for n in range(6)}
    found = {
        f"{name}{suffix}": content
        for name, content in pickles.items()
        for suffix in (".pkl", ".joblib")
    }
    found |= {f"{s[1:]} pickle{s}": pickles["protocol 4"] for s in SUFFIXES}
    found["text pickle.onnx"] = pickles["protocol 0"]
    found["objects.npz"] = npz_bytes(clean=np.array([[Armed(canary)] * 10] * 1000))
    found["state.pt"] = zip_bytes(m__data_pkl=pickles["protocol 2"], m__version="3")
    return found


def odd_onnx(folder):
    """ONNX models that take or give something else, or reach out of their file, by name."""
    from onnx import TensorProto, helper

    second = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 784])
    secret = folder / "secret"
    secret.write_bytes(bytes(784 * 10 * 4))
    (folder / "below").mkdir()
    (folder / "below" / "link").symlink_to(secret)
    return {
        "two inputs": onnx_bytes(inputs=[second]),
        "integers": onnx_bytes(kind=TensorProto.INT64),
        "texts": onnx_bytes(kind=TensorProto.STRING),
        "colour": onnx_bytes(shape=("n", 3, 32, 32)),
        "no image": onnx_bytes(shape=("n", 12)),
        "batch of none": onnx_bytes(shape=(0, 784)),
        "batch of a billion": onnx_bytes(shape=(10**9, 784)),
        "a list": onnx_bytes(sequence),
        "seven classes": onnx_bytes(classes=7),
        "thousand classes": onnx_bytes(classes=1000),
        "custom operator": onnx_bytes(domain="com.stranger"),
        "no graph": onnx_bytes(lambda model: model.ClearField("graph")),
        "future opset": onnx_bytes(lambda m: setattr(m.opset_import[0], "version", 9999)),
        "weights above": onnx_bytes(outside("../secret")),
        "weights by path": onnx_bytes(outside(secret)),
        "weights by link": onnx_bytes(outside("link")),
        "weights of a device": onnx_bytes(outside("/dev/zero")),
        "weights missing": onnx_bytes(outside("nowhere")),
    }


def places(folder):
    """Names that lead to no file of a model."""
    os.mkfifo(folder / "pipe.onnx")
    (folder / "folder.keras").mkdir()
    (folder / "loop.npz").symlink_to(folder / "loop.npz")
    (folder / "empty.onnx").touch()
    with (folder / "huge.onnx").open("wb") as file:
        file.truncate(2**40)
    names = ("pipe.onnx", "folder.keras", "loop.npz", "empty.onnx", "huge.onnx", "none.onnx")
    odd = ("a" * 300 + ".npz", "nul\0.onnx", "bell\a\x1b[2J.onnx", "new\nline:predict", "")
    return [*(str(folder / name) for name in (*names, *odd[:-1])), "", "/dev/zero", "/dev/null"]
