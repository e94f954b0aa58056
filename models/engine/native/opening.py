"""Choose whether a checkpoint is computed by the kernels, and in which arithmetic."""

from __future__ import annotations

import torch

from models.engine.checkpoint import Checkpoint
from models.engine.native.forward import NativeForward, available
from models.engine.native.kernels import Kernels
from models.engine.native.loading import Loader, load_kernels
from models.engine.native.processor import cpu_flags, cpu_vendor


def open_forward(
    checkpoint: Checkpoint, dtype: str, load: Loader = load_kernels, *, forced: bool = False
) -> NativeForward | None:
    """Return the checkpoint packed for this machine's kernels, or None where torch's are faster or the only ones.

    `forced`: the kernels were asked for by name and are used also where torch is faster.
    """
    kernels = load()
    kind = arithmetic(dtype, cpu_vendor(), cpu_flags())
    if kernels is None or (kind is None and not forced):
        return None
    kind = _within(kernels, kind or "float32")
    if not available(kernels, kind, checkpoint.shape):
        return None
    return NativeForward(checkpoint, kind, torch.get_num_threads(), kernels)


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


def _within(kernels: Kernels, kind: str) -> str:
    """Return float32, which holds every bfloat16, for kernels without products of bfloat16."""
    return "float32" if kind == "bfloat16" and kernels.layout(kind) is None else kind
