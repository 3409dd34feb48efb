"""A model: whatever predicts logits or probabilities of ten digits for images."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust.checks.outputs import ModelError, digit_order
from mnistrobust.transforms import NOISE_LABEL

Predict = Callable[[np.ndarray], np.ndarray]
Pixels = tuple[float, float]  # the values of no ink and of full ink

SHAPES = MappingProxyType(
    {"784": (784,), "28x28": (28, 28), "28x28x1": (28, 28, 1), "1x28x28": (1, 28, 28)}
)
UNIT: Pixels = (0, 1)
FRAMEWORKS = ("torch", "jax", "sklearn", "xgboost", "lightgbm", "catboost", "onnxruntime")
_BY_CLASS = ("predict_proba", "predict_log_proba", "decision_function")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that predicts, or whose predictions were made elsewhere.

    `predict` takes any images (n, 784), float32 with 1.0 as full ink, and returns new outputs (n, classes); it
    raises ModelError, in one line, whatever the model does.
    """

    name: str
    outputs: str  # PROBABILITIES, LOGITS or LOG_PROBABILITIES
    classes: int
    input_shape: str | None = None
    pixels: Pixels = UNIT
    trials: Mapping[str, float] = field(default_factory=dict)  # accuracy by the pixels tried
    alike: tuple[str, ...] = ()  # other pixels that the trials could not tell from these
    predict: Predict | None = None
    recorded: Mapping[str, np.ndarray] = field(default_factory=dict)  # outputs by input set
    versions: Mapping[str, str] = field(default_factory=dict)  # of the frameworks that it imported

    @property
    def has_noise_class(self) -> bool:
        """Whether the model has an eleventh class, for what is no digit."""
        return self.classes == NOISE_LABEL + 1

    @property
    def interface(self) -> str:
        """What the model takes and gives, in a line."""
        gives = f"gives {self.outputs} of {self.classes} classes"
        if self.input_shape is None:
            return gives
        sizes = ", ".join(map(str, SHAPES[self.input_shape]))
        doubt = f"; it is as accurate with {', '.join(self.alike)}: name --pixels" * bool(
            self.alike
        )
        return f"reads (n, {sizes}) float32, pixels {spelled(self.pixels)}, {gives}{doubt}"


def framework_versions() -> dict[str, str]:
    """Return the versions of the frameworks that this process has imported."""
    return {
        name: str(getattr(sys.modules[name], "__version__", "unknown"))
        for name in FRAMEWORKS
        if name in sys.modules
    }


def spelled(pixels: Pixels) -> str:
    """Return the values of no ink and of full ink as `--pixels` takes them."""
    return "..".join(f"{value:.4g}" for value in pixels)


def listed(trials: Mapping[str, float]) -> str:
    """Return the accuracies that were tried, in a line."""
    return ", ".join(f"{accuracy:.3f} with {pixels}" for pixels, accuracy in trials.items())


def stated_shape(given: Any) -> list[int | None] | None:
    """Return the `input_shape` that an object states, None without one; what is no integer is None."""
    shape = None
    with suppress(Exception):  # Keras raises for what is not built yet
        shape = given.input_shape
    if not isinstance(shape, tuple | list):
        return None
    return [size if isinstance(size, int) else None for size in shape]


def imported(target: str) -> Any:
    """Return what `package.module:name` names, from the working directory; ModelError if none."""
    module, _, attribute = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        given: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ModelError(
                f"no module {error.name!r} in {here} or among the installed packages; run the "
                f"command in its folder"
            ) from error
        raise
    for part in attribute.split("."):
        if not hasattr(given, part):
            own = {name: each for name, each in inspect.getmembers(given) if name[0] != "_"}
            imports = {
                name: inspect.ismodule(each) or getattr(each, "__module__", module) != module
                for name, each in own.items()
            }
            known = ", ".join(sorted(own, key=imports.__getitem__)[:10])
            raise ModelError(
                f"{module} has no {part!r}; it has: {known or 'nothing'}{_hidden(module, here)}"
            )
        given = getattr(given, part)
    return given


def _hidden(module: str, here: str) -> str:
    """Return which module was found instead of the one in the working directory, if any was."""
    name = module.partition(".")[0]
    found = getattr(sys.modules[name], "__file__", None)
    own = Path(here, f"{name}.py")
    if not own.is_file() or (found and Path(found).resolve() == own.resolve()):
        return ""
    return f"; {own.name} here is hidden by {found or 'a module of Python itself'}: rename it"


def callable_of(given: Any) -> Callable[[np.ndarray], Any]:
    """Return the first way of an object to predict a batch; ModelError where it has none."""
    if isinstance(given, type):
        raise ModelError("it is a class; name a function or a trained model")
    if inspect.iscoroutinefunction(given):
        raise ModelError("it is an async function; name one that returns scores when it is called")
    inner = given
    while isinstance(inner, functools.partial):
        inner = inner.func
    owner = getattr(inner, "__self__", inner)  # of a method
    predict_proba, decision_function, predict = (
        getattr(given, each, None) for each in ("predict_proba", "decision_function", "predict")
    )
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "nn") and isinstance(owner, torch.nn.Module):  # else the user's own torch.py
        return _of_torch(owner, predict_proba or given, torch)
    if predict_proba is None and "verbose" in _parameters(predict):
        # which, other than `predict`, makes no data set of each batch: 20 times as fast
        return getattr(given, "predict_on_batch", lambda images: given.predict(images, verbose=0))
    for function in (predict_proba, given, decision_function, predict):
        if callable(function):
            by_class = function in (predict_proba, decision_function) or (
                function is given and getattr(inner, "__name__", "") in _BY_CLASS
            )
            return _in_order(function, owner) if by_class else function
    raise ModelError(f"it is no model: expected a callable, received {type(given).__name__}")


def _in_order(function: Predict, owner: Any) -> Callable[[np.ndarray], Any]:
    if getattr(owner, "classes_", None) is None:
        return function
    order = digit_order(owner.classes_, "classes_")

    def predict(images: np.ndarray) -> Any:
        outputs = np.asanyarray(function(images))
        return outputs[:, order] if outputs.shape[1:] == (len(order),) else outputs

    return predict


def _of_torch(module: Any, function: Callable[[Any], Any], torch: Any) -> Callable[..., Any]:
    with suppress(NotImplementedError):  # an exported program has no mode
        module.eval()
    one = next((each for each in module.parameters() if each.is_floating_point()), torch.empty(0))

    def predict(images: np.ndarray) -> Any:
        with torch.no_grad():
            try:
                return function(torch.from_numpy(images).to(one.device, one.dtype))
            except (TypeError, AttributeError, AssertionError, ValueError):
                if function is module:
                    raise
                return function(images)  # a method of the user's own may take an array

    return predict


def _parameters(function: Any) -> Mapping[str, Any]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have none
        return {}
