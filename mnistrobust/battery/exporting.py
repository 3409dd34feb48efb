"""The battery's inputs as files, for models that run elsewhere, and the predictions made of them.

What comes back is untrusted: only plain numeric arrays of the expected size are read.
"""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from mnistrobust.battery.inputs import FAMILIES, made
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
_HEADER = 4096  # bytes; more than any header of an array of plain numbers
_WIDEST = 64  # classes that are read: a wrong number is for a spec to say
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile)


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
        with zipfile.ZipFile(path) as archive:
            found = {name: _read(archive, name, dataset, path) for name in FAMILIES}
    except _UNREADABLE as error:
        raise ModelError(
            f"{path}: {error}; expected what 'mnistrobust export-views' explains."
        ) from error
    widths = {each.shape[1] for each in found.values()}
    if len(widths) > 1:
        raise ModelError(f"{path}: the sets have different numbers of classes: {sorted(widths)}.")
    return Subject(
        name=path.name,
        outputs=outputs_of(found["clean"], outputs),
        classes=widths.pop(),
        recorded=found,
    )


def _read(archive: zipfile.ZipFile, name: str, dataset: Dataset, path: Path) -> np.ndarray:
    """Read one member, whose header and size are checked before anything is allocated."""
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise ModelError(
            f"{path}: no predictions for the set {name!r}; predict every array of {INPUTS}."
        ) from error
    rows = len(made(name, dataset).images)
    if member.file_size > rows * _WIDEST * 8 + _HEADER:
        raise ModelError(f"{path}: {name} is larger than {rows} predictions can be.")
    with archive.open(member) as file:
        shape, fortran, dtype = _header(file)
        if len(shape) != 2 or shape[0] != rows:
            raise ModelError(
                f"{path}: {name} has the shape {shape}, expected ({rows}, {CLASSES[0]}) or "
                f"({rows}, {CLASSES[1]}) for {dataset.name}; is it of another data set (--data)?"
            )
        if dtype.kind not in "fiu" or not 0 < shape[1] <= _WIDEST:
            raise ModelError(f"{path}: {name} holds {shape} of {dtype}, expected numbers.")
        content = file.read(rows * shape[1] * dtype.itemsize)
    values = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return values.astype(np.float64 if dtype == np.float64 else np.float32)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file, max_header_size=_HEADER)
