"""The forward pass of a scoring request in C++, for CPUs with AVX-512 (`forward.cpp`)."""

from __future__ import annotations

import torch

from models.engine.checkpoint import Checkpoint
from models.engine.native.build import Loader, cpu_flags, cpu_vendor, load_kernels
from models.engine.native.forward import NativeForward, available


def open_forward(checkpoint: Checkpoint, dtype: str, load: Loader = load_kernels) -> NativeForward | None:
    """The checkpoint packed for this machine's kernels, or None where torch's are better or the only ones."""
    kind = arithmetic(dtype, cpu_vendor(), cpu_flags())
    if kind is None or not available(kind, checkpoint.shape, load):
        return None
    return NativeForward(checkpoint, kind, torch.get_num_threads(), load)


def arithmetic(dtype: str, vendor: str, flags: frozenset[str]) -> str | None:
    """What the linear layers of a dtype are computed in.

    bfloat16 is a promise about rounding, not an order: Intel's dot products of bfloat16 outside of its matrix
    units run at half the speed of fp32 (80 against 160 GFLOP/s a core on a Xeon with avx512_bf16), so there nothing
    is rounded; AMD's run at twice the speed. With matrix units (AMX) torch's bfloat16 is far ahead of both.
    """
    if dtype != "bfloat16":
        return "int8" if dtype == "int8" else "float32"
    if "amx_bf16" in flags:
        return None
    return "bfloat16" if vendor == "AuthenticAMD" and "avx512_bf16" in flags else "float32"
