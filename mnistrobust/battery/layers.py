"""The layers that a configuration may name: their arguments, weights and outputs.

Everything is computed from the configuration before Keras sees any of it, so that a file cannot
ask for more memory or time than a network for MNIST needs.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mnistrobust.battery.refusal import RefusedError

Shape = tuple[int, ...]
Rule = Callable[[Any], bool]
Arguments = dict[str, Any]

_WIDEST = 8192  # units or filters
_LONGEST = 784  # steps of a sequence, which takes one after another
_LARGE = 1e6  # plain numbers
ACTIVATIONS = frozenset(
    "linear relu relu6 leaky_relu elu selu gelu silu mish softplus softsign sigmoid hard_sigmoid "  # noqa: SIM905
    "tanh exponential softmax log_softmax".split()
)


@dataclass(frozen=True)
class Effect:
    """What a layer makes of one image: its output's shape, its weights' and the products it takes.

    `inner` is the part of the layer that holds the weights in a file.
    """

    output: Shape
    weights: tuple[Shape, ...] = ()
    products: int = 0
    inner: str = ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A layer: the rules of the arguments that matter, and of those without effect on answers.

    `effect` takes arguments and the input's shape. `rank` is the input's number of dimensions,
    None for any. `draws` says whether it keeps a random state.
    """

    passed: Mapping[str, Rule]
    idle: Mapping[str, Rule]
    effect: Callable[[Arguments, Shape], Effect]
    rank: int | None = None
    draws: bool = False


def whole(low: int, high: int) -> Rule:
    """Return the rule of an integer from `low` to `high`."""
    return lambda value: type(value) is int and low <= value <= high


def number(low: float = -_LARGE, high: float = _LARGE) -> Rule:
    """Return the rule of a number from `low` to `high`."""
    return lambda value: type(value) in {int, float} and low <= value <= high


def exactly(*values: Any) -> Rule:
    """Return the rule of a value that is one of these, and of the same type."""
    return lambda value: any(type(value) is type(each) and value == each for each in values)


def flag(value: Any) -> bool:
    """Return whether a value is true or false, and nothing else."""
    return type(value) is bool


def nothing(value: Any) -> bool:
    """Return whether a value is null."""
    return value is None


def text(value: Any) -> bool:
    """Return whether a value is a short printable text."""
    return type(value) is str and len(value) <= 64 and value.isprintable()


def optional(rule: Rule) -> Rule:
    """Return a rule that null satisfies too."""
    return lambda value: value is None or rule(value)


def several(rule: Rule, low: int, high: int) -> Rule:
    """Return the rule of a list of `low` to `high` values that satisfy a rule."""
    return lambda v: type(v) is list and low <= len(v) <= high and all(map(rule, v))


def keras_object(module: str, names: str) -> Rule:
    """Return the rule of a Keras object with plain values; it is never made."""
    known = frozenset(names.split())

    def rule(value: Any) -> bool:
        if value is None:
            return True
        if type(value) is not dict or not value.keys() <= _OBJECT:
            return False
        config, name = value.get("config"), value.get("class_name")
        return (
            value.get("module") == f"keras.{module}"
            and type(name) is str
            and name in known
            and value.get("registered_name") is None
            and type(config) is dict
            and all(_PLAIN(each) for each in config.values())
        )

    return rule


_OBJECT = {"module", "class_name", "config", "registered_name", "shared_object_id"}
_PLAIN = optional(
    lambda v: flag(v) or text(v) or number()(v) or several(number(), 0, 8)(v) or whole(0, 2**63)(v)
)
_INITIALIZER = keras_object(
    "initializers",
    "Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal "
    "Identity GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform",
)
_REGULARIZER = keras_object("regularizers", "L1 L2 L1L2 OrthogonalRegularizer")
_CONSTRAINT = keras_object("constraints", "MaxNorm NonNeg UnitNorm MinMaxNorm")
_ACTIVATION = exactly(*ACTIVATIONS)
_PAIR = several(whole(1, 28), 2, 2)
_SEED = optional(whole(0, 2**63))
_SHARE = number(0, 1)


def _training(*parts: str) -> dict[str, Rule]:
    """Return the rules of what only training uses: initialisers, regularisers and constraints."""
    found: dict[str, Rule] = {"activity_regularizer": _REGULARIZER}
    for part in parts:
        found[f"{part}_initializer"] = _INITIALIZER
        found[f"{part}_regularizer"] = _REGULARIZER
        found[f"{part}_constraint"] = _CONSTRAINT
    return found


def _same(_: Arguments, shape: Shape) -> Effect:
    return Effect(shape)


def _dense(given: Arguments, shape: Shape) -> Effect:
    units = given["units"]
    weights = ((shape[-1], units), (units,))[: 1 + given["use_bias"]]
    return Effect((*shape[:-1], units), weights, math.prod(shape) * units)


def _windows(given: Arguments, shape: Shape, size: list[int]) -> Shape:
    """Return how many positions a window has, over rows and columns."""
    pairs = zip(shape, size, given["strides"], strict=False)
    if given["padding"] == "same":
        return tuple(-(-length // stride) for length, _, stride in pairs)
    return tuple((length - window) // stride + 1 for length, window, stride in pairs)


def _conv2d(given: Arguments, shape: Shape) -> Effect:
    filters, size = given["filters"], given["kernel_size"]
    kernel = (*size, shape[-1], filters)
    output = (*_windows(given, shape, size), filters)
    weights = (kernel, (filters,))[: 1 + given["use_bias"]]
    return Effect(output, weights, math.prod(kernel) * math.prod(output[:2]))


def _pooled(given: Arguments, shape: Shape) -> Effect:
    output = (*_windows(given, shape, given["pool_size"]), shape[-1])
    return Effect(output, products=math.prod(given["pool_size"]) * math.prod(output))


def _globally(_: Arguments, shape: Shape) -> Effect:
    return Effect(shape[-1:])


def _flat(_: Arguments, shape: Shape) -> Effect:
    return Effect((math.prod(shape),))


def _reshaped(given: Arguments, shape: Shape) -> Effect:
    target, size = given["target_shape"], math.prod(shape)
    known = math.prod(each for each in target if each != -1)
    if target.count(-1) > 1 or size % known or (-1 not in target and known != size):
        raise RefusedError(f"a Reshape of {shape} to {tuple(target)}")
    return Effect(tuple(size // known if each == -1 else each for each in target))


def _normed(given: Arguments, shape: Shape) -> Effect:
    if given["axis"] not in {-1, len(shape)}:
        raise RefusedError("a BatchNormalization along another axis than the last")
    count = 2 + given["scale"] + given["center"]
    return Effect(shape, (shape[-1:],) * count)


def _recurrent(gates: int, bias: Callable[[Arguments, int], Shape]) -> Any:
    def effect(given: Arguments, shape: Shape) -> Effect:
        units, (steps, inputs) = given["units"], shape
        if steps > _LONGEST:
            raise RefusedError(f"a sequence of {steps} steps: expected at most {_LONGEST}")
        weights = ((inputs, gates * units), (units, gates * units), bias(given, gates * units))
        products = steps * gates * units * (inputs + units)
        output = (steps, units) if given["return_sequences"] else (units,)
        return Effect(output, weights[: 2 + given["use_bias"]], products, "cell/")

    return effect


def _recurrent_kind(effect: Any, **others: Rule) -> Kind:
    return Kind(
        passed={
            "units": whole(1, _WIDEST),
            "activation": _ACTIVATION,
            "use_bias": flag,
            "return_sequences": flag,
            "go_backwards": flag,
            **others,
        },
        idle={
            "return_state": exactly(False),
            "stateful": exactly(False),
            "unroll": flag,
            "zero_output_for_mask": flag,
            "unit_forget_bias": flag,
            "dropout": _SHARE,
            "recurrent_dropout": _SHARE,
            "seed": _SEED,
            **_training("kernel", "recurrent", "bias"),
        },
        effect=effect,
        rank=2,
        draws=True,
    )


def _idle_kind(**idle: Rule) -> Kind:
    """Return a layer that leaves images as they are, outside of training."""
    return Kind(passed={}, idle={"seed": _SEED, **idle}, effect=_same, draws=True)


_POOLING = Kind(
    passed={"pool_size": _PAIR, "strides": _PAIR, "padding": exactly("valid", "same")},
    idle={"data_format": exactly("channels_last")},
    effect=_pooled,
    rank=3,
)
_GLOBAL = {"data_format": exactly("channels_last"), "keepdims": exactly(False)}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "Dense": Kind(
            passed={"units": whole(1, _WIDEST), "activation": _ACTIVATION, "use_bias": flag},
            idle={"quantization_config": nothing, **_training("kernel", "bias")},
            effect=_dense,
        ),
        "Conv2D": Kind(
            passed={
                "filters": whole(1, _WIDEST),
                "kernel_size": _PAIR,
                "strides": _PAIR,
                "padding": exactly("valid", "same"),
                "activation": _ACTIVATION,
                "use_bias": flag,
            },
            idle={
                "data_format": exactly("channels_last"),
                "dilation_rate": exactly([1, 1]),
                "groups": exactly(1),
                "quantization_config": nothing,
                **_training("kernel", "bias"),
            },
            effect=_conv2d,
            rank=3,
        ),
        "LSTM": _recurrent_kind(_recurrent(4, lambda _, n: (n,)), recurrent_activation=_ACTIVATION),
        "GRU": _recurrent_kind(
            _recurrent(3, lambda given, n: (2, n) if given["reset_after"] else (n,)),
            recurrent_activation=_ACTIVATION,
            reset_after=flag,
        ),
        "SimpleRNN": _recurrent_kind(_recurrent(1, lambda _, n: (n,))),
        "BatchNormalization": Kind(
            passed={
                "axis": whole(-1, 3),
                "epsilon": number(0, 1),
                "center": flag,
                "scale": flag,
            },
            idle={
                "momentum": _SHARE,
                "synchronized": exactly(False),
                "renorm": exactly(False),
                "renorm_clipping": nothing,
                "renorm_momentum": _SHARE,
                **_training("beta", "gamma"),
                "moving_mean_initializer": _INITIALIZER,
                "moving_variance_initializer": _INITIALIZER,
            },
            effect=_normed,
        ),
        "MaxPooling2D": _POOLING,
        "AveragePooling2D": _POOLING,
        "GlobalMaxPooling1D": Kind(passed={}, idle=_GLOBAL, effect=_globally, rank=2),
        "GlobalAveragePooling1D": Kind(passed={}, idle=_GLOBAL, effect=_globally, rank=2),
        "GlobalMaxPooling2D": Kind(passed={}, idle=_GLOBAL, effect=_globally, rank=3),
        "GlobalAveragePooling2D": Kind(passed={}, idle=_GLOBAL, effect=_globally, rank=3),
        "Flatten": Kind(passed={}, idle={"data_format": exactly("channels_last")}, effect=_flat),
        "Reshape": Kind(
            passed={
                "target_shape": several(lambda v: whole(1, 784 * 64)(v) or exactly(-1)(v), 1, 3)
            },
            idle={},
            effect=_reshaped,
        ),
        "Rescaling": Kind(passed={"scale": number(), "offset": number()}, idle={}, effect=_same),
        "Dropout": _idle_kind(rate=_SHARE, noise_shape=nothing),
        "SpatialDropout2D": _idle_kind(rate=_SHARE, data_format=exactly("channels_last")),
        "GaussianDropout": _idle_kind(rate=_SHARE),
        "GaussianNoise": _idle_kind(stddev=number(0)),
        "Activation": Kind(passed={"activation": _ACTIVATION}, idle={}, effect=_same),
        "ReLU": Kind(
            passed={
                "max_value": optional(number(0)),
                "negative_slope": number(0),
                "threshold": number(0),
            },
            idle={},
            effect=_same,
        ),
        "LeakyReLU": Kind(passed={"negative_slope": number(0)}, idle={}, effect=_same),
        "Softmax": Kind(passed={"axis": exactly(-1)}, idle={}, effect=_same),
    }
)

# What leaves images as they are needs no place in a model that only answers.
IDLE = frozenset(name for name, kind in KINDS.items() if not kind.passed and kind.effect is _same)
