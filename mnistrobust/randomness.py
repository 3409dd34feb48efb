"""Independent random streams by key, so that adding one changes no other."""

import hashlib
import operator

import numpy as np


def stream(*key: str | int) -> np.random.Generator:
    """Return the generator that belongs to a key, such as `(seed, "train-offset")`.

    Equal keys give equal streams, different keys independent ones; no global generator is
    touched. The key is hashed (SHA-256) into the 128-bit key of a Philox counter generator
    (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3"). Raises TypeError for a
    part that is neither text nor a whole number.
    """
    # A NumPy integer equals the Python one, but is written differently.
    parts = tuple(part if isinstance(part, str) else operator.index(part) for part in key)
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def fixed_order(n: int, name: str) -> list[int]:
    """Return a permutation of 0…n-1 that depends on its name alone, not on NumPy's version."""
    return sorted(range(n), key=lambda i: hashlib.sha256(f"{name} {i}".encode()).digest())
