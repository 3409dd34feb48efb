"""Find the model that a text names: a Python object, a file, or recorded predictions."""

import importlib
import os
import sys
from pathlib import Path

from mnistrobust.battery.subject import ModelError, Predict, Subject, subject_of, told
from mnistrobust.data import Dataset, standing

MODEL_FILES = (".keras", ".h5", ".hdf5", ".safetensors")
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
_EXPECTED = (
    "expected package.module:predict, a model file (.keras, .h5, .safetensors) or predictions "
    "(.npz)"
)


def find(
    model: str,
    dataset: Dataset,
    *,
    input_shape: str | None = None,
    outputs: str | None = None,
    arch: str | None = None,
    trust: bool = False,
) -> Subject:
    """Return the subject that `model` names.

    `package.module:predict` is imported, with the working directory on the path, and may run any
    code: it is the user's own; a `decide()` in it gives the set of `dataset`. A model file is read by `battery.files`, which trusts nothing
    unless `trust` is set; `arch` names the architecture of a file of weights. An `.npz` without
    `arch` holds the answers to the sets that `export-views` wrote. Raises ModelError, in one line.
    """
    path = Path(model)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise ModelError(
            f"{model}: a pickle runs any code when it is read; write a module with a function "
            f"predict(images) that loads it, and name my_module:predict."
        )
    is_model = suffix in MODEL_FILES or (suffix == ".npz" and arch is not None)
    if (arch or trust) and not is_model:
        raise ModelError(f"{model}: --arch and --trust are for model files; leave them out.")
    if is_model or suffix == ".npz":
        if input_shape:
            raise ModelError(f"{model}: a file says itself what it takes; leave --input-shape out.")
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for too long a name
            raise ModelError(f"{model}: no such file; {_EXPECTED}.")
    if is_model:
        # Late: a model file loads Keras. It takes images (n, 784), whatever the architecture.
        files = importlib.import_module("mnistrobust.battery.files")
        predict: Predict = files.load(path, arch=arch, trust=trust)
        return subject_of(predict, path.name, dataset, input_shape="784", outputs=outputs)
    if suffix == ".npz":
        from mnistrobust.battery.exporting import recorded

        return recorded(path, dataset, outputs=outputs)
    module, colon, attribute = model.partition(":")
    if not colon or not attribute:
        raise ModelError(f"{model}: {_EXPECTED}.")
    if module.endswith(".py"):
        remedy = f"{Path(module).stem}:{attribute}"
        raise ModelError(f"{model}: expected a module's name; name {remedy} in its own folder.")
    with standing(dataset.source):  # where the model is trained on what it is judged on
        found = _imported(module, attribute, model)
    return subject_of(found, model, dataset, input_shape=input_shape, outputs=outputs)


def _imported(module: str, attribute: str, model: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ModelError(
                f"{model}: no module {error.name!r} in {Path.cwd()} or among the installed "
                f"packages; run the command in its folder."
            ) from error
        raise ModelError(f"{model}: its import raised {told(error)}") from error
    except (Exception, SystemExit) as error:  # the module is the user's: it may raise anything
        raise ModelError(f"{model}: its import raised {told(error)}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [name for name in dir(found) if not name.startswith("_")]
            near = f"; it has: {', '.join(known[:10])}" if known else ""
            raise ModelError(f"{model}: {module} has no {part!r}{near}.")
        found = getattr(found, part)
    return found
