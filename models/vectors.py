"""Unit vectors as bytes: little-endian float16, so that a vector of width 256 takes 512 bytes in a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WIRE = np.dtype("<f2")


def pack(rows: NDArray[np.floating[Any]]) -> list[bytes]:
    """Return each row of `(n, width)` as a unit vector in bytes; b"" for a row of zeros or one that is not finite."""
    wide = rows.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1))
    usable = np.isfinite(lengths) & (lengths > 0)
    units = (wide / np.where(usable, lengths, 1.0)[:, None]).astype(_WIRE)
    return [unit.tobytes() if good else b"" for unit, good in zip(units, usable, strict=True)]


def unpack(vectors: Sequence[bytes], width: int) -> NDArray[np.float32]:
    """Return the vectors as rows of a float32 array `(n, width)`; ValueError if one has another width."""
    for vector in vectors:
        if width_of(vector) != width:
            raise ValueError(f"a vector of width {width_of(vector)} among vectors of width {width}")
    return np.frombuffer(b"".join(vectors), _WIRE).reshape(len(vectors), width).astype(np.float32)


def width_of(vector: bytes) -> int:
    """Return how many numbers a vector has; 0 for none."""
    return len(vector) // _WIRE.itemsize
