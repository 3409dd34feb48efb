"""The battery's inputs as files, for models that run elsewhere, and the predictions made of them.

What comes back is untrusted: only plain numeric arrays of the expected size are read.
"""

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from mnistrobust.battery import plain_arrays
from mnistrobust.battery.inputs import FAMILIES, made
from mnistrobust.battery.opening import read_whole
from mnistrobust.battery.refusal import RefusedError
from mnistrobust.battery.subject import CLASSES, ModelError, Subject, outputs_of
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError

INPUTS = "inputs.npz"
PREDICTIONS = "predictions.npz"
HOW_TO = """Each array of inputs.npz is a set of images (n, 784), float32 with 1.0 as full ink. Predict them with
predict(images) -> (n, 10) or (n, 11), logits or probabilities; reshape the images as your model takes them:

    import numpy as np

    with np.load("inputs.npz") as sets:
        np.savez("predictions.npz", **{name: predict(sets[name]) for name in sets.files})

Then: mnistrobust check predictions.npz
"""
_WIDEST = 64  # classes that are read: a wrong number is for a spec to say


def export(dataset: Dataset, folder: Path) -> list[Path]:
    """Write `inputs.npz` and a README.txt that says what to do with it; return their paths.

    Raises UsageError where the folder cannot be written to.
    """
    inputs, text = folder / INPUTS, folder / "README.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(inputs, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in FAMILIES:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, made(name, dataset).images, allow_pickle=False)
        text.write_text(HOW_TO, "utf-8")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; name another folder.") from error
    return [inputs, text]


def recorded(path: Path, dataset: Dataset, *, outputs: str | None = None) -> Subject:
    """Return predictions that were made elsewhere as a subject.

    Raises ModelError where the file is no archive of one numeric array (n, classes) for each set,
    with as many rows as the set has images.
    """
    try:
        found = plain_arrays.of_npz(read_whole(path), FAMILIES.__contains__)
    except RefusedError as error:
        raise ModelError(
            f"{path}: {error}; expected what 'mnistrobust export-views' explains."
        ) from error
    for name in FAMILIES:
        if name not in found:
            raise ModelError(
                f"{path}: no predictions for the set {name!r}; predict every array of {INPUTS}."
            )
        _check_shape(found[name], name, dataset, path)
    widths = {each.shape[1] for each in found.values()}
    if len(widths) > 1:
        raise ModelError(f"{path}: the sets have different numbers of classes: {sorted(widths)}.")
    kinds = {np.dtype(np.float64): np.float64}
    kept = {name: each.astype(kinds.get(each.dtype, np.float32)) for name, each in found.items()}
    return Subject(
        name=path.name,
        outputs=outputs_of(kept["clean"], outputs),
        classes=widths.pop(),
        recorded=kept,
    )


def _check_shape(array: np.ndarray, name: str, dataset: Dataset, path: Path) -> None:
    rows = len(made(name, dataset).images)
    if array.ndim != 2 or len(array) != rows or array.shape[1] > _WIDEST:
        raise ModelError(
            f"{path}: {name} has the shape {array.shape}, expected ({rows}, {CLASSES[0]}) or "
            f"({rows}, {CLASSES[1]}) for {dataset.name}; is it of another data set (--data)?"
        )
