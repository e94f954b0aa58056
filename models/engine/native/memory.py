"""Memory in large pages: each pass reads all weights, and with pages of 4 KiB it would wait for page-table look-ups."""

from __future__ import annotations

import mmap

import torch
from torch import Tensor

LINE = 64
"""Alignment in bytes: one cache line."""


def large_pages(size: int) -> Tensor:
    """Return `size` zeroed bytes, in large pages where the system has them."""
    memory = mmap.mmap(-1, max(size, 1))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.uint8)


class Arena:
    """One block of memory from which aligned tensors are taken one after the other."""

    def __init__(self, size: int) -> None:
        self._memory, self._used = large_pages(size), 0

    def take(self, count: int, dtype: torch.dtype) -> Tensor:
        """Return the next `count` zeros of a type."""
        start, size = self._used, count * dtype.itemsize
        self._used += aligned(size)
        return self._memory[start : start + size].view(dtype)


def aligned(size: int) -> int:
    """Return a size in bytes, rounded up to whole cache lines."""
    return -(-size // LINE) * LINE
