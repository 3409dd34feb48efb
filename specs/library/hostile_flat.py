"""Hostile files of numbered weights, harmless in effect: each is a plain one, changed in one way."""

import io
import json
import struct

import numpy as np
from hostile_zips import Member, zip_of


class Canary:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def tensors(head, body=b"", length=None):
    """The bytes of a .safetensors file, true or not."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def hostile_flat_files(canary):
    """Files of numbered weights, by suffix and name."""

    def npz(array, old=b"", new=b""):
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=True)
        return zip_of(Member(name="arr_0.npy", data=buffer.getvalue().replace(old, new)))

    def entry(shape, end, kind="F32"):
        return {"weight00": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}}

    bomb = (
        b"\x93NUMPY\x01\0v\0"
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 10), }"
    )
    return {
        ".npz": {
            "objects": npz(np.array([Canary(canary)], dtype=object)),
            "traversal": zip_of(Member(name="../arr_0.npy", data=b"x")),
            "shape bomb": zip_of(Member(name="arr_0.npy", data=bomb.ljust(128) + b"\0" * 40)),
            "negative shape": npz(np.zeros(10, "f4"), b"(10,)", b"(-1,)"),
            "code for a header": npz(np.zeros(10, "f4"), b"False", b"exit("),
            "header of Python 2": npz(np.zeros(10, "f4"), b"10,), ", b"10L,),"),
            "deep header": npz(np.zeros(300, "u1"), b"(300,)", b"-" * 300 + b"1"),
            "texts": npz(np.array(["a"] * 10)),
            "records": npz(np.zeros(10, [("a", "f4")])),
            "float64": npz(np.zeros((784, 10))),
            "no suffix": zip_of(Member(name="arr_0", data=b"x")),
            "other digits": zip_of(Member(name="arr_\u0660.npy", data=b"x", flags=0x800)),
            "no array": zip_of(Member(name="arr_0.npy", data=b"")),
        },
        ".safetensors": {
            "huge header": tensors({}, length=2**62),
            "shape bomb": tensors(entry([2**40, 10], 40), bytes(40)),
            "negative shape": tensors(entry([-1, -10], 40), bytes(40)),
            "offset beyond": tensors(entry([10], 40), bytes(20)),
            "negative offset": tensors(
                {"weight00": {"dtype": "F32", "shape": [10], "data_offsets": [-40, 0]}}
            ),
            "offset of 64 bits": tensors(entry([10], 2**64 - 1), bytes(40)),
            "offset as a float": tensors(entry([10], 40.0), bytes(40)),
            "offset as nothing": tensors(entry([10], None), bytes(40)),
            "offsets of two kinds": tensors({**entry([10], 40), "weight01": {**entry([10], "x")["weight00"]}}),
            "size as a truth": tensors(entry([True], 4), bytes(4)),
            "overlapping": tensors(
                {**entry([10], 40), "weight01": {"dtype": "F32", "shape": [10], "data_offsets": [20, 60]}},
                bytes(60),
            ),
            "gap behind": tensors(entry([10], 40), bytes(80)),
            "key twice": tensors(
                b'{"weight00": {"dtype": "F32", "dtype": "F32", "shape": [10], "data_offsets": [0, 40]}}',
                bytes(40),
            ),
            "half precision": tensors(entry([10], 20, "BF16"), bytes(20)),
            "no offsets": tensors({"weight00": {"dtype": "F32"}}),
            "list": tensors([1]),
            "truncated": b"\x08\0\0",
        },
    }  # fmt: skip
