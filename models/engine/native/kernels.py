"""A loaded library of kernels: how it lays out packed weights, and its two calls."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from models.engine.native.structs import CBatch, CModel, PackedMatrix

KINDS = {"float32": 0, "bfloat16": 1, "int8": 2}
"""Arithmetics of the linear layers, and their numbers in forward.cpp."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How weights of one arithmetic are packed: [outputs / columns][inputs / step][columns][step]."""

    columns: int
    """Outputs in one panel of packed weights, and keys in one panel of keys."""
    element_bytes: int
    step: int
    """Inputs of an output that are neighbours in a panel."""


class Kernels(Protocol):
    """One build of the kernels."""

    name: str

    def layout(self, kind: str) -> Layout | None:
        """Return how weights are packed; None if these kernels do not have the arithmetic."""
        ...

    def pack(self, kind: str, weights: int, matrix: PackedMatrix) -> None:
        """Pack fp32 weights [outputs, inputs], given by their address, into zeroed memory."""
        ...

    def forward(self, kind: str, model: CModel, batch: CBatch) -> None:
        """Compute the hidden states of a batch into the batch's `out`."""
        ...


class Library(Kernels):
    """A shared library that was compiled from forward.cpp."""

    def __init__(self, path: Path, name: str) -> None:
        """Load a library; OSError for a damaged file or one that is another build than `name`."""
        self.name = name
        self._library = ctypes.CDLL(str(path))
        self._library.nearline_build.restype = ctypes.c_char_p
        built = self._library.nearline_build().decode()
        if built != name:
            raise OSError(f"{path} holds the kernels {built}, not {name}: delete it")

    @override
    def layout(self, kind: str) -> Layout | None:
        """Ask the library, which was compiled with or without the arithmetic."""
        numbers = (ctypes.c_int32 * 3)()
        return Layout(*numbers) if self._library.nearline_layout(KINDS[kind], numbers) else None

    @override
    def pack(self, kind: str, weights: int, matrix: PackedMatrix) -> None:
        """Run on one thread."""
        addresses = (matrix.panels, matrix.scales, matrix.begin)
        sizes = (ctypes.c_int64(matrix.outputs), ctypes.c_int64(matrix.inputs))
        self._library.nearline_pack(
            KINDS[kind], ctypes.c_void_p(weights), *sizes, *map(ctypes.c_void_p, addresses)
        )

    @override
    def forward(self, kind: str, model: CModel, batch: CBatch) -> None:
        """Run on the model's threads; RuntimeError for an arithmetic that the library has not."""
        if not self._library.nearline_forward(KINDS[kind], ctypes.byref(model), ctypes.byref(batch)):
            raise RuntimeError(f"the kernels {self.name} have no {kind} arithmetic")
