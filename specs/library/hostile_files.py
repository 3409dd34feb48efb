"""A corpus of hostile model files, harmless in effect: what would run only makes a canary.

Each is a good file changed in one way, so that only this way can be what it is refused for.
"""

import base64
import json
import marshal
import os
import pickle
import socket

import numpy as np
from hostile_flat import Canary, hostile_flat_files
from hostile_hdf5 import hdf5_of, hostile_hdf5
from hostile_zips import Member, hostile_zips, zip_of


def layer(kind="Dense", module="keras.layers", registered=None, /, **config):
    """A layer's entry in a configuration; a dense one of ten classes by default."""
    dense = {"units": 10, "activation": "softmax", "use_bias": True} if kind == "Dense" else {}
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "a", "trainable": True, "dtype": "float32", **dense, **config},
        "registered_name": registered,
    }


def config_of(*layers, shape=(784,), **others):
    """A Sequential model's configuration; `others` replace its outer fields."""
    first = {"batch_shape": [None, *shape], "dtype": "float32", "sparse": False, "name": "in"}
    entry = {"module": "keras.layers", "class_name": "InputLayer", "config": first}
    inner = {"name": "s", "trainable": True, "dtype": "float32", "layers": [entry, *layers]}
    outer = {"module": "keras", "class_name": "Sequential", "config": inner}
    return {**outer, "registered_name": "Sequential", **others}


def parts_of(config=None, weights=None, metadata=None):
    """The three members of a .keras file; a good one by default."""
    if not isinstance(config, bytes):
        config = json.dumps(config or config_of(layer())).encode()
    return [
        Member(name="metadata.json", data=metadata or b'{"keras_version": "3.15.1"}'),
        Member(name="config.json", data=config),
        Member(name="model.weights.h5", data=hdf5_of() if weights is None else weights),
    ]


def keras_file(config=None, weights=None, metadata=None):
    """The bytes of a .keras file; a good one by default."""
    return zip_of(*parts_of(config, weights, metadata))


def _with(text):
    """A configuration with raw JSON in the place of a harmless number."""
    return json.dumps(config_of(layer(units=987654))).replace("987654", text).encode()


def _functions(canary):
    """Configurations that name code, in each place where Keras would look for it."""
    code = compile(f"open({canary!r}, 'w')", "x", "eval")
    lambda_ = {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None},
    }
    function = {"module": "os", "class_name": "function", "config": "system"}
    foreign = {"module": "os", "class_name": "system", "config": {"command": f"touch {canary}"}}
    return {
        "Lambda layer": config_of(layer("Lambda", function=lambda_), layer()),
        "Lambda as an activation": config_of(layer(activation=lambda_)),
        "function as an activation": config_of(layer(activation=function)),
        "unknown activation": config_of(layer(activation="os.system")),
        "foreign layer": config_of(layer("system", "os", command=f"touch {canary}"), layer()),
        "module elsewhere": config_of(layer("Dense", "antigravity")),
        "module that is no text": config_of(layer("Dense", ["keras.layers"])),
        "class that is no text": config_of(layer(["Dense"])),
        "registered name": config_of(layer("Dense", "keras.layers", "evil>Dense")),
        "registered model": config_of(layer(), registered_name="evil>Sequential"),
        "foreign model": config_of(layer(), module="os", class_name="system"),
        "foreign initializer": config_of(layer(kernel_initializer=foreign)),
        "registered initializer": config_of(
            layer(
                kernel_initializer={
                    "module": "keras.initializers", "class_name": "Zeros", "config": {},
                    "registered_name": "evil>Zeros",
                }
            )
        ),
        "foreign regularizer": config_of(layer(kernel_regularizer=foreign)),
        "initializer of lists": config_of(
            layer(kernel_initializer={"module": "keras.initializers", "class_name": ["Zeros"]})
        ),
        "foreign loss": config_of(layer(), compile_config={"loss": foreign}),
        "foreign optimizer": config_of(layer(), compile_config={"optimizer": foreign}),
        "function as a metric": config_of(layer(), compile_config={"metrics": [[function]]}),
        "foreign build": config_of(layer(), build_config={"input_shape": foreign}),
        "foreign policy": config_of(layer(dtype=foreign)),
        "half precision": config_of(layer(dtype="float16")),
        "layer in a layer": config_of(layer("TimeDistributed", layer=layer()), layer()),
        "model in a model": config_of(config_of(layer()), layer()),
        "file as a vocabulary": config_of(layer("StringLookup", vocabulary="/etc/passwd"), layer()),
        "SavedModel as a layer": config_of(layer("TFSMLayer", filepath=canary), layer()),
        "functional": config_of(layer(), class_name="Functional"),
        "subclass": config_of(layer(), class_name="Evil", module="evil"),
        "unknown field": config_of(layer(lora_rank=4)),
        "field of the model": config_of(layer(), custom_objects={"Dense": "os.system"}),
    }  # fmt: skip


def sizes():
    """Configurations that ask for too much, or for what is no classifier of digits."""
    conv = {
        "filters": 8192, "kernel_size": [1, 1], "strides": [1, 1], "padding": "same",
        "activation": "linear", "use_bias": True,
    }  # fmt: skip
    wide = layer(units=8192, activation="relu")
    wide_conv = layer("Conv2D", **conv)
    steps = {
        "units": 1,
        "activation": "relu",
        "use_bias": False,
        "return_sequences": False,
        "go_backwards": False,
    }
    return {
        "huge layer": config_of(layer(units=10**9)),
        "huge integer": config_of(layer(units=10**19)),
        "negative size": config_of(layer(units=-10)),
        "zero size": config_of(layer(units=0)),
        "size as a float": config_of(layer(units=10.0)),
        "size as a text": config_of(layer(units="10")),
        "size as a truth": config_of(layer(units=True)),
        "truth as a size": config_of(layer(use_bias=1)),
        "too many parameters": config_of(wide, wide, layer()),
        "too many layers": config_of(
            *[layer("Flatten", data_format="channels_last")] * 200, layer()
        ),
        "too much between layers": config_of(
            *[wide_conv] * 3, layer("Flatten"), layer(), shape=(28, 28, 1)
        ),
        "hours of pooling": config_of(
            wide_conv,
            *[layer("MaxPooling2D", pool_size=[28, 28], strides=[1, 1], padding="same")] * 40,
            layer("Flatten"),
            layer(),
            shape=(28, 28, 1),
        ),
        "hours of activations": config_of(
            wide_conv,
            *[layer("Activation", activation="gelu")] * 50,
            layer("GlobalMaxPooling2D"),
            layer(),
            shape=(28, 28, 1),
        ),
        "hours of steps": config_of(
            layer("Reshape", target_shape=[784, 1]),
            layer(units=16, activation="linear"),
            layer("Reshape", target_shape=[12544, 1]),
            layer("SimpleRNN", **steps),
            layer(),
        ),
        "two inputs": config_of(config_of()["config"]["layers"][0], layer()),
        "impossible reshape": config_of(layer("Reshape", target_shape=[-1, -1, 0]), layer()),
        "exploding reshape": config_of(layer("Reshape", target_shape=[28, 10**9]), layer()),
        "nine classes": config_of(layer(units=9)),
        "a thousand classes": config_of(layer(units=1000)),
        "colour images": config_of(layer("Flatten"), layer(), shape=(32, 32, 3)),
        "negative input": config_of(layer(), shape=(-784,)),
        "any input": config_of(layer(), shape=(None,)),
        "no layers": config_of(),
        "layers that are no list": config_of(layer(), config={"name": "s", "layers": "Dense"}),
        "missing size": config_of({**layer(), "config": {"name": "a"}}),
        "escape in a name": config_of(layer("\x1b[2J\x1b]0;owned\x07")),
        "line break in a name": config_of(layer("Dense\nrefused: no")),
        "look-alike name": config_of(layer("D\u0435nse")),
        "lone surrogate": config_of(layer("\udc80")),
    }


def _texts():
    """Texts that are no plain JSON."""
    good = json.dumps(config_of(layer()))
    return {
        "no JSON": b"import os",
        "empty JSON": b"{}",
        "a list": b"[]",
        "a number": b"1",
        "another encoding": good.encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + good.encode(),
        "broken UTF-8": good.replace("float32", "\x00").encode() + b"\xff",
        "deep JSON": b"[" * 100_000 + b"]" * 100_000,
        "deep JSON of mappings": b'{"a":' * 5000 + b"1" + b"}" * 5000,
        "huge JSON": good.encode() + b" " * 2**24,
        "quotation marks": b'"\\' * 100_000,
        "long text": good.replace("softmax", "s" * 5000).encode(),
        "key twice": good.replace('"units"', '"units": 9, "units"').encode(),
        "NaN": _with("NaN"),
        "infinity": _with("-Infinity"),
        "overflowing number": _with("1e999"),
        "integer of 10,000 digits": _with("9" * 10_000),
        "truncated JSON": good[:-20].encode(),
        "code behind JSON": good.encode() + b"\nimport os",
    }


def _places(folder, canary):
    """What is no file, or under a false name."""
    good = keras_file()
    pickled = pickle.dumps(Canary(canary))
    contents = {
        "empty.keras": b"",
        "empty.h5": b"",
        "pickle.keras": pickled,
        "pickle.h5": pickled,
        "pickle.npz": pickled,
        "pickle.safetensors": pickled,
        "pickle.pkl": pickled,
        "old-pickle.keras": pickle.dumps(Canary(canary), protocol=0),
        "torch.keras": zip_of(Member(name="archive/data.pkl", data=pickled)),
        "model.pt": zip_of(Member(name="archive/data.pkl", data=pickled)),
        "model.joblib": pickled,
        "weights-named.keras": hdf5_of(),
        "keras-named.h5": good,
        "keras-named.safetensors": good,
        "script.keras": b"#!/bin/sh\ntouch canary\n",
        "no-suffix": good,
        "python.py": f"open({canary!r}, 'w')".encode(),
        "\x1b[2J.keras": b"x",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    names = list(contents)
    with (folder / "sparse.keras").open("wb") as file:
        file.truncate(2**33)
    (folder / "folder.keras").mkdir()
    (folder / "dangling.keras").symlink_to(folder / "none")
    (folder / "loop.keras").symlink_to(folder / "loop.keras")
    (folder / "to-folder.h5").symlink_to(folder)
    (folder / "to-device.keras").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.keras")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket.h5"))
    listener.close()
    names += ["sparse.keras", "folder.keras", "dangling.keras", "loop.keras", "to-folder.h5"]
    return [*names, "to-device.keras", "pipe.keras", "socket.h5", "nothing.keras"]


def write_corpus(folder):
    """Write all hostile files into a folder; return (path, architecture) of each."""
    canary, bait = str(folder / "canary"), folder / "bait.h5"
    bait.write_bytes(hdf5_of(x=np.ones((784, 10), "f4")))
    found = [(folder / name, None) for name in _places(folder, canary)]

    def add(kind, suffix, contents, arch=None):
        for name, content in contents.items():
            path = folder / f"{kind}, {name}{suffix}".encode("ascii", "replace").decode()
            path.write_bytes(content)
            found.append((path, arch))

    configs = {**_functions(canary), **sizes(), **_texts()}
    add("config", ".keras", {name: keras_file(config) for name, config in configs.items()})
    add("zip", ".keras", hostile_zips(*parts_of()))
    hdf5 = hostile_hdf5(str(bait))
    add("weights", ".keras", {name: keras_file(weights=data) for name, data in hdf5.items()})
    without_plan = {"external link", "no HDF5", "truncated", "no weights", "shape bomb"}
    add("alone", ".weights.h5", {name: hdf5[name] for name in sorted(without_plan)}, "ann")
    for suffix, contents in hostile_flat_files(canary).items():
        add("flat", suffix, contents, "ann")
    return found
