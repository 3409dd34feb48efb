"""A Keras model's configuration as a plan of allow-listed layers with plain values.

Keras's own deserialiser imports what a configuration names. Nothing here imports, looks up or
calls anything by a name out of a file: names are compared with a list.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust.battery import layers
from mnistrobust.battery.layers import IDLE, KINDS, Rule, Shape, exactly, flag, text, whole
from mnistrobust.battery.refusal import RefusedError, quoted

MAX_LAYERS = 64
MAX_PARAMETERS = 64 * 2**20  # 256 MiB of float32
MAX_ACTIVATION = 8 * 2**20  # values between two layers, for one image
MAX_PRODUCTS = 2 * 10**9  # for one image; the document's CNN takes 11 million
_VALUE = 16  # products that a layer's value costs besides, with a function of it and its memory
INPUTS = ((784,), (28, 28), (28, 28, 1))
CLASSES = (10, 11)
# Where parts of training may come from; they are checked, and never made.
_TRAINING = ("keras.optimizers", "keras.losses", "keras.metrics", "keras.initializers")


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A weight: its place in a Keras file, and its shape."""

    path: str
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An allow-listed layer: the arguments of its constructor and its weights in Keras's order."""

    kind: str
    arguments: Mapping[str, Any]
    weights: tuple[Weight, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sequence of layers that takes images of one shape and gives 10 or 11 classes.

    `idle` names the arrays that a file may hold besides, and `largest` the values between two
    layers, for one image.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    idle: frozenset[str]
    largest: int

    @property
    def weights(self) -> list[Weight]:
        """The weights of all layers, in Keras's order."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def classes(self) -> int:
        """The number of classes, by the last layer that has weights."""
        return self.weights[-1].shape[-1]


def plan_of(config: Any) -> Plan:
    """Return the plan of what a `config.json` holds; RefusedError for anything not allow-listed."""
    top = _checked(config, _MODEL, "the model")
    if top["class_name"] in {"Functional", "Model"}:
        raise RefusedError("a functional model: expected a Sequential one")
    if top["class_name"] != "Sequential" or top["module"] not in {"keras", "keras.models"}:
        raise RefusedError(f"the class {quoted(top['class_name'])}: expected Sequential")
    inner = _checked(top["config"], _SEQUENTIAL, "the model's config")
    entries = [_checked(each, _ENTRY, "a layer") for each in inner["layers"]]
    for entry in entries:
        _check_origin(entry)
    kinds = [entry["class_name"] for entry in entries]
    if len(kinds) < 2 or [i for i, kind in enumerate(kinds) if kind == "InputLayer"] != [0]:
        raise RefusedError("the model's first layer: expected an InputLayer, then others")
    first = _checked(entries[0]["config"], _INPUT, "the InputLayer")
    shape = tuple(first["batch_shape"][1:])
    if shape not in INPUTS:
        raise RefusedError(f"input of shape {shape}: expected 784, 28 x 28 or 28 x 28 x 1")
    return _planned(entries[1:], shape)


def fill(plan: Plan, arrays: Mapping[str, np.ndarray]) -> list[list[np.ndarray]]:
    """Return each layer's weights, of arrays by their path in a Keras file.

    RefusedError for what is missing, what no layer has, another shape or type, NaN and infinity.
    """
    known = {weight.path for weight in plan.weights}
    others = [path for path in arrays if path not in known and not _is_idle(path, plan)]
    if others:
        raise RefusedError(f"the weights {quoted(others[0])}, which no layer has")
    return [[_fitting(weight, arrays) for weight in layer.weights] for layer in plan.layers]


def build(plan: Plan, weights: list[list[np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of images (n, 784), float32, to a plan's answers (n, classes)."""
    from mnistrobust.backend import import_keras

    keras = import_keras()
    used = [
        (getattr(keras.layers, layer.kind)(**layer.arguments), arrays)
        for layer, arrays in zip(plan.layers, weights, strict=True)
        if layer.kind not in IDLE
    ]
    model = keras.Sequential([keras.layers.Input(plan.input_shape), *(each for each, _ in used)])
    for layer, arrays in used:
        layer.set_weights(arrays)
    batch = max(1, min(_BATCH, _BATCH_VALUES // plan.largest))

    def predict(images: np.ndarray) -> np.ndarray:
        shaped = np.asarray(images, np.float32).reshape(-1, *plan.input_shape)
        return np.asarray(model.predict(shaped, batch_size=batch, verbose=0))

    return predict


_BATCH = 256
_BATCH_VALUES = 64 * 2**20  # 256 MiB between two layers


def _planned(entries: list[dict[str, Any]], shape: Shape) -> Plan:
    input_shape, largest = shape, math.prod(shape)
    found: list[Layer] = []
    names: Counter[str] = Counter()
    idle: set[str] = set()
    parameters = products = 0
    for entry in entries:
        kind, arguments = entry["class_name"], _arguments(entry)
        if KINDS[kind].rank not in {None, len(shape)}:
            raise RefusedError(f"a {kind} that takes {shape}")
        effect = KINDS[kind].effect(arguments, shape)
        snake = _snake(kind)
        place = f"layers/{snake}_{names[snake]}" if names[snake] else f"layers/{snake}"
        names[snake] += 1
        weights = tuple(
            Weight(path=f"{place}/{effect.inner}vars/{i}", shape=each)
            for i, each in enumerate(effect.weights)
        )
        if KINDS[kind].draws:
            idle.add(f"{place}/{effect.inner}seed_generator/vars/0")
        tuples = {k: tuple(v) if type(v) is list else v for k, v in arguments.items()}
        found.append(Layer(kind=kind, arguments=tuples, weights=weights))
        shape = effect.output
        parameters += sum(map(math.prod, effect.weights))
        products += effect.products + _VALUE * math.prod(shape)
        largest = max(largest, math.prod(shape))
        if min(shape) < 1 or largest > MAX_ACTIVATION:
            raise RefusedError(f"a {kind} whose output has the shape {shape}")
        if parameters > MAX_PARAMETERS or products > MAX_PRODUCTS:
            raise RefusedError(
                f"{parameters:,} parameters and {products:,} products an image: expected at most "
                f"{MAX_PARAMETERS:,} and {MAX_PRODUCTS:,}"
            )
    if shape not in {(classes,) for classes in CLASSES} or not parameters:
        raise RefusedError(f"output of shape {shape}: expected 10 or 11 classes")
    return Plan(input_shape=input_shape, layers=tuple(found), idle=frozenset(idle), largest=largest)


def _arguments(entry: dict[str, Any]) -> dict[str, Any]:
    kind = KINDS[entry["class_name"]]
    rules = {**_COMMON, **kind.passed, **kind.idle}
    what = f"a {entry['class_name']}"
    given = _checked(entry["config"], rules, what, required=kind.passed)
    return {name: given[name] for name in kind.passed}


def _check_origin(entry: dict[str, Any]) -> None:
    name = entry["class_name"]
    if name not in {*KINDS, "InputLayer"}:
        raise RefusedError(f"the layer {quoted(name)}, which is not among those read safely")
    if entry["module"] != "keras.layers" or entry.get("registered_name") not in {None, name}:
        raise RefusedError(f"a {name} that is not Keras's own")


def _checked(
    value: Any, rules: Mapping[str, Rule], what: str, required: Mapping[str, Rule] | None = None
) -> dict[str, Any]:
    """Return a mapping whose keys all have a rule and whose values all satisfy it."""
    if type(value) is not dict:
        raise RefusedError(f"{what}: expected a mapping")
    for name, each in value.items():
        if name not in rules:
            raise RefusedError(f"{what} with the unknown field {quoted(name)}")
        if not rules[name](each):
            raise RefusedError(f"{what} whose {name} is {quoted(each)}")
    missing = [name for name in (required or _REQUIRED & rules.keys()) if name not in value]
    if missing:
        raise RefusedError(f"{what} without {min(missing)}")
    found: dict[str, Any] = value
    return found


def _policy(value: Any) -> bool:
    """Whether a layer computes in float32."""
    if type(value) is not dict:
        return exactly("float32")(value)
    made = layers.keras_object("", "DTypePolicy")({**value, "module": "keras."})
    return made and value.get("module") == "keras" and value["config"] == {"name": "float32"}


def _harmless(value: Any) -> bool:
    """Whether a value is plain all through, and names no class but those of Keras's training."""
    if type(value) is list:
        return all(map(_harmless, value))
    if type(value) is dict:
        if "class_name" in value:
            name, module = value["class_name"], value.get("module")
            if type(name) is not str or not name.isidentifier() or module not in _TRAINING:
                return False
            if not exactly(None, name)(value.get("registered_name")):
                return False
        return all(map(_harmless, value.values()))
    return value is None or type(value) in {bool, int, float} or text(value)


def _batch_shape(value: Any) -> bool:
    sizes = layers.several(lambda v: v is None or whole(1, 4096)(v), 2, 4)
    return sizes(value) and value[0] is None and None not in value[1:]


def _is_idle(path: str, plan: Plan) -> bool:
    return path in plan.idle or path.startswith("optimizer/")


def _fitting(weight: Weight, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    array = arrays.get(weight.path)
    if array is None:
        raise RefusedError(f"the weights {weight.path} are missing")
    if array.shape != weight.shape or array.dtype != np.float32:
        raise RefusedError(
            f"the weights {weight.path} are {array.dtype} of shape {array.shape}: "
            f"expected float32 of {weight.shape}"
        )
    if not np.isfinite(array).all():
        raise RefusedError(f"the weights {weight.path} are not all finite")
    return array


def _snake(name: str) -> str:
    """Return a class's name as Keras writes it into a file's paths."""
    parted = re.sub(r"\W+", "", name)
    parted = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", parted)
    return re.sub("([a-z])([A-Z])", r"\1_\2", parted).lower()


_REQUIRED = {"module", "class_name", "config", "layers", "batch_shape"}
_MODEL: Mapping[str, Rule] = {
    "module": text,
    "class_name": text,
    "config": lambda value: type(value) is dict,
    "registered_name": exactly(None, "Sequential", "Functional"),
    "build_config": _harmless,
    "compile_config": _harmless,
}
_SEQUENTIAL: Mapping[str, Rule] = {
    "name": text,
    "trainable": flag,
    "dtype": _policy,
    "layers": lambda value: type(value) is list and len(value) <= MAX_LAYERS,
    "build_input_shape": _batch_shape,
}
_ENTRY: Mapping[str, Rule] = {
    "module": text,
    "class_name": text,
    "config": lambda value: type(value) is dict,
    "registered_name": layers.optional(text),
    "build_config": _harmless,
    "name": text,
}
_COMMON: Mapping[str, Rule] = {"name": text, "trainable": flag, "dtype": _policy}
_INPUT: Mapping[str, Rule] = {
    "batch_shape": _batch_shape,
    "dtype": _policy,
    "sparse": exactly(False),
    "ragged": exactly(False),
    "optional": exactly(False),
    "name": text,
}
