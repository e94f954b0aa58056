"""The forward pass of a scoring request in C++, for CPUs with AVX-512 (`forward.cpp`)."""

from __future__ import annotations

import torch

from models.engine.checkpoint import Checkpoint
from models.engine.native.build import Loader, cpu_flags, cpu_vendor, load_kernels
from models.engine.native.forward import NativeForward, available


def open_forward(checkpoint: Checkpoint, dtype: str, load: Loader = load_kernels) -> NativeForward | None:
    """Return the checkpoint packed for this machine's kernels, or None where torch's are faster or the only ones."""
    kind = arithmetic(dtype, cpu_vendor(), cpu_flags())
    if kind is None or not available(kind, checkpoint.shape, load):
        return None
    return NativeForward(checkpoint, kind, torch.get_num_threads(), load)


def arithmetic(dtype: str, vendor: str, flags: frozenset[str]) -> str | None:
    """Return the arithmetic in which the kernels compute the linear layers of a dtype; None where torch is faster.

    bfloat16 allows rounding but does not demand it. Without matrix units Intel's bfloat16 dot products run at half the
    speed of fp32 (80 against 160 GFLOP/s a core on a Xeon with avx512_bf16), so fp32 is used there; AMD's run at twice
    the speed of fp32. With matrix units (AMX) torch's bfloat16 is much faster than either.
    """
    if dtype != "bfloat16":
        return "int8" if dtype == "int8" else "float32"
    if "amx_bf16" in flags:
        return None
    return "bfloat16" if vendor == "AuthenticAMD" and "avx512_bf16" in flags else "float32"
