"""Hostile HDF5 files of weights, harmless in effect: each is a good one, changed in one way."""

import io

import h5py
import numpy as np

KERNEL, BIAS = "layers/dense/vars/0", "layers/dense/vars/1"


def good_arrays():
    rng = np.random.default_rng(5)
    return {
        KERNEL: rng.normal(size=(784, 10)).astype("f4"),
        BIAS: np.zeros(10, "f4"),
    }


def hdf5_of(change=None, **arrays):
    """The bytes of a file of weights; `change` is called with the open file at the end."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, array in (good_arrays() | arrays).items():
            if array is not None:
                file[path] = array
        if change:
            change(file)
    return buffer.getvalue()


def replaced(path, make):
    """A file in which `make(file, path)` takes the place of one array."""
    return hdf5_of(lambda file: make(file, path), **{path: None})


def _with(value, index=0):
    kernel = good_arrays()[KERNEL]
    kernel.flat[index] = value
    return {KERNEL: kernel}


def _nested(file):
    for _ in range(40):
        file = file.create_group("a")


def _many(file):
    group = file.create_group("many")
    for i in range(3000):
        group.create_group(f"g{i}")


def _virtual(target):
    def make(file, path):
        layout = h5py.VirtualLayout(shape=(784, 10), dtype="f4")
        layout[:] = h5py.VirtualSource(target, "x", shape=(784, 10), dtype="f4")
        file.create_virtual_dataset(path, layout)

    return make


def _external_storage(target):
    def make(file, path):
        file.create_dataset(path, (784, 10), "f4", external=[(target, 0, 784 * 40)])

    return make


def _never_written(shape):
    return lambda file, path: file.create_dataset(path, shape, "f4")


def _chunked(**how):
    return lambda file, path: file.create_dataset(path, data=good_arrays()[KERNEL], **how)


def _bomb(file, path):
    file.create_dataset(
        path, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024), compression="gzip", fillvalue=1
    )


def _typed(kind):
    return lambda file, path: file.create_dataset(path, data=np.zeros((784, 10), kind))


def _references(file, path):
    file[path] = np.full((784, 10), file["layers"].ref, dtype=h5py.ref_dtype)


def _strings(file, path):
    file.create_dataset(path, (784, 10), h5py.string_dtype())[:] = "x"


def _named_type(file, path):
    file["kind"] = np.dtype([("a", "f4")])
    file[path] = good_arrays()[KERNEL]


def _loop(file):
    file["layers/again"] = file["/"]


def _attribute(file):
    file["layers"].attrs.create("link", file["layers"].ref, dtype=h5py.ref_dtype)


def hostile_hdf5(bait):
    """The bytes of each hostile file, by name; `bait` is a file that links lead to."""
    good = hdf5_of()
    with_foreword = io.BytesIO()
    with h5py.File(with_foreword, "w", userblock_size=512) as file:
        for path, array in good_arrays().items():
            file[path] = array
    return {
        "external link": replaced(
            KERNEL, lambda f, p: f.__setitem__(p, h5py.ExternalLink(bait, "x"))
        ),
        "soft link": replaced(KERNEL, lambda f, p: f.__setitem__(p, h5py.SoftLink("/layers"))),
        "dangling soft link": hdf5_of(lambda f: f.__setitem__("s", h5py.SoftLink("/none"))),
        "external link beside": hdf5_of(lambda f: f.__setitem__("e", h5py.ExternalLink(bait, "x"))),
        "virtual data set": replaced(KERNEL, _virtual(bait)),
        "external storage": replaced(KERNEL, _external_storage(bait)),
        "hard link to the root": hdf5_of(_loop),
        "one array twice": hdf5_of(lambda f: f.__setitem__("layers/dense_1/vars/0", f[KERNEL])),
        "shape never written": replaced(KERNEL, _never_written((784, 10))),
        "shape bomb": replaced(KERNEL, _never_written((1 << 20, 1 << 20))),
        "shape bomb of rank 32": replaced(KERNEL, _never_written((2,) * 32)),
        "packed bomb": replaced(KERNEL, _bomb),
        "gzip": replaced(KERNEL, _chunked(compression="gzip")),
        "chunks": replaced(KERNEL, _chunked(chunks=(8, 10))),
        "float64": replaced(KERNEL, _typed("f8")),
        "float16": replaced(KERNEL, _typed("f2")),
        "big-endian": replaced(KERNEL, _typed(">f4")),
        "integers for weights": replaced(KERNEL, _typed("i4")),
        "complex": replaced(KERNEL, _typed("c8")),
        "records": replaced(KERNEL, _typed([("a", "f4"), ("b", "f4")])),
        "bytes": replaced(KERNEL, _typed("S4")),
        "texts": replaced(KERNEL, _strings),
        "references": replaced(KERNEL, _references),
        "named type": replaced(KERNEL, _named_type),
        "null space": replaced(KERNEL, lambda f, p: f.__setitem__(p, h5py.Empty("f4"))),
        "reference in an attribute": hdf5_of(_attribute),
        "deep groups": hdf5_of(_nested),
        "many groups": hdf5_of(_many),
        "escape in a name": hdf5_of(lambda f: f.create_group("\x1b[2J\x1b]0;owned\x07")),
        "right-to-left name": hdf5_of(lambda f: f.create_group("\u202ehtped")),
        "NaN": hdf5_of(**_with(np.nan)),
        "infinity at the end": hdf5_of(**_with(-np.inf, -1)),
        "transposed": hdf5_of(**{KERNEL: good_arrays()[KERNEL].T.copy()}),
        "flat": hdf5_of(**{KERNEL: good_arrays()[KERNEL].ravel()}),
        "missing bias": hdf5_of(**{BIAS: None}),
        "no weights": hdf5_of(**{KERNEL: None, BIAS: None}),
        "one more layer": hdf5_of(**{"layers/dense_1/vars/0": np.zeros((10, 10), "f4")}),
        "one more weight": hdf5_of(**{"layers/dense/vars/2": np.zeros(10, "f4")}),
        "truncated": good[: len(good) // 2],
        "only a signature": good[:8],
        "damaged inside": good[:60] + b"\xff" * 200 + good[260:],
        "foreword": with_foreword.getvalue(),
        "no HDF5": b"\0" * 4096,
    }
