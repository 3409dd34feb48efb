"""The inputs of the checks as files, for models that run elsewhere, and the predictions for them."""

import zipfile
from pathlib import Path

from numpy.lib import format as npy

from mnistrobust.checks.child import Child
from mnistrobust.checks.inputs import FAMILIES, inputs_named
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import ModelError, check_scale, naming, outputs_of
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.files import regular, whole, write_whole

INPUTS = "inputs.npz"
HOW_TO = """Each array of inputs.npz is a set of images (n, 784), float32 with 1.0 as full ink. Predict them with
predict(images) -> (n, 10) or (n, 11), logits or probabilities; reshape the images as your model takes them:

    import numpy as np

    with np.load("inputs.npz") as sets:
        np.savez("predictions.npz", **{name: predict(sets[name]) for name in sets.files})

Then: mnistrobust check predictions.npz
"""


def export(dataset: Dataset, folder: Path) -> list[Path]:
    """Write `inputs.npz` and a README.txt that says what to do with it; return their paths.

    Raises UsageError where files of these names are not an earlier export's, which its text tells.
    """
    inputs, text = folder / INPUTS, folder / "README.txt"
    try:
        ours = text.exists() and regular(text).read_bytes() == HOW_TO.encode()
        for file in (text, inputs):
            if file.exists() and not ours:
                raise UsageError(f"{file} is no earlier export's; name another folder.")
        write_whole(text, HOW_TO.encode())  # first: of an export that breaks off it is enough
        with (
            whole(inputs) as content,
            zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for name in FAMILIES:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    images = inputs_named(name, dataset).images
                    npy.write_array(member, images, allow_pickle=False)
    except OSError as error:
        why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"{folder}: {why}; name another folder.") from error
    return [inputs, text]


def recorded(file: Child, name: str, dataset: Dataset, *, outputs: str | None = None) -> Model:
    """Return predictions that were made elsewhere as a model; ModelError where a set lacks."""
    try:
        arrays = {
            each: file.recorded(each, len(inputs_named(each, dataset).images)) for each in FAMILIES
        }
    except ModelError as error:
        raise ModelError(
            f"{error}; expected predictions of all {INPUTS} that 'mnistrobust export-inputs' "
            f"writes for {dataset.name}."
        ) from error
    widths = {array.shape[1] for array in arrays.values()}
    if len(widths) > 1:
        raise ModelError(f"{name}: the sets have different numbers of classes: {sorted(widths)}.")
    if outputs is None:
        with naming(name):
            check_scale(arrays["clean"])
    kind = outputs_of(arrays["clean"], outputs)
    return Model(name=name, outputs=kind, classes=widths.pop(), recorded=arrays)
