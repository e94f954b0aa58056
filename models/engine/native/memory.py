"""Memory in large pages: a pass reads all weights once, and with pages of 4 KiB waits for the page tables."""

from __future__ import annotations

import mmap

import torch
from torch import Tensor

LINE = 64
"""Bytes to which everything is aligned."""


def large_pages(size: int) -> Tensor:
    """Zeroed bytes, in large pages where the system has them."""
    memory = mmap.mmap(-1, max(size, 1))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.uint8)


class Arena:
    """One block of memory, handed out piece by piece."""

    def __init__(self, size: int) -> None:
        self._memory, self._used = large_pages(size), 0

    def take(self, count: int, dtype: torch.dtype) -> Tensor:
        """`count` zeros of a type."""
        start, size = self._used, count * dtype.itemsize
        self._used += aligned(size)
        return self._memory[start : start + size].view(dtype)


def aligned(size: int) -> int:
    """A size, rounded up to whole lines."""
    return -(-size // LINE) * LINE
