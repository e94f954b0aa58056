"""Run the C++ kernels: pack a checkpoint for them, then compute the last hidden states of a plan's prompts."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from models.engine.checkpoint import Checkpoint, ModelShape
from models.engine.forward.base import Forward
from models.engine.forward.plan import Plan
from models.engine.native.build import Loader, load_kernels
from models.engine.native.memory import Arena, aligned, large_pages
from models.engine.native.structs import LINEARS, NORMS, CBatch, CLayer, CLinear, CModel, pointer
from models.engine.rope import rotary

COLUMNS = 32
"""Outputs in one panel of packed weights, and keys in one panel of keys (gemm.h)."""
GAP = 16
"""Unused floats between two rows of queries (linear.h)."""
LANES = 16
QUERIES = 126
"""Most queries of one unit of work in attention."""
LARGEST_HEAD = 256

KINDS = {"float32": 0, "bfloat16": 1, "int8": 2}
EXTRAS = (torch.float32, torch.int32)
"""Types of each output's scale and of the initial value of its sum; used by int8 only."""
ELEMENTS = {"float32": (torch.float32, 1), "bfloat16": (torch.bfloat16, 2), "int8": (torch.int8, 4)}
"""Type of packed weights, and how many inputs are neighbours in a panel (STEP in gemm.h)."""
Ints = NDArray[np.int32]


def available(kind: str, shape: ModelShape, load: Loader = load_kernels) -> bool:
    """Whether this machine can compute this shape in this arithmetic."""
    kernels = load()
    fits = shape.head_dim <= LARGEST_HEAD and shape.head_dim % 2 == 0
    return fits and kernels is not None and bool(kernels.nearline_supports(KINDS[kind]))


class NativeForward(Forward):
    """The forward pass by the C++ kernels; `kind` is the arithmetic of the linear layers."""

    def __init__(self, checkpoint: Checkpoint, kind: str, threads: int, load: Loader = load_kernels) -> None:
        kernels = load()
        assert kernels is not None  # noqa: S101  (the caller asked `available`)
        self._kernels, self._kind, self._shape = kernels, kind, checkpoint.shape
        self._kept: list[Tensor] = []
        self._arena = Arena(checkpoint.shape.layers * _layer_bytes(checkpoint.shape, kind))
        self._embedding = checkpoint.weights["model.embed_tokens.weight"]
        shape = checkpoint.shape
        layers = (CLayer * shape.layers)(*(self._layer(checkpoint, i) for i in range(shape.layers)))
        tables = rotary(shape.rope, shape.rope_theta, shape.head_dim, shape.context)
        cos, sin = map(self._keep, tables)
        self._model = CModel(
            layers=shape.layers,
            hidden=shape.hidden,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_size=shape.head_dim,
            mlp=shape.mlp,
            layer=layers,
            cos=cos,
            sin=sin,
            norm_eps=shape.norm_eps,
            threads=threads,
        )
        self._space = torch.empty(0)

    @override
    def last_hidden(self, plan: Plan) -> Tensor:
        """Use memory that all calls share, so that one may run at a time; RuntimeError if `kind` cannot run."""
        tables = _PlanArrays(plan)
        x = torch.nn.functional.embedding(torch.tensor(plan.ids), self._embedding).float()
        out = torch.empty(len(plan.ends), self._shape.hidden)
        # prompts that are equal end at one token, so that there may be more prompts than tokens
        q, keys, values = self._work_space(max(len(plan.ids), len(plan.ends)), tables.slots)
        batch = CBatch(
            tokens=len(plan.ids),
            slots=tables.slots,
            items=len(plan.ends),
            segments=len(plan.segments),
            queries=len(tables.query),
            last_queries=len(tables.last_query),
            x=pointer(x),
            out=pointer(out),
            q=q,
            keys=keys,
            values=values,
            **{name: pointer(getattr(tables, name)) for name in _PlanArrays.NAMES},
        )
        if not self._kernels.nearline_forward(
            KINDS[self._kind], ctypes.byref(self._model), ctypes.byref(batch)
        ):
            raise RuntimeError(f"this machine has no {self._kind} arithmetic")
        return out

    def _work_space(self, tokens: int, slots: int) -> tuple[int, int, int]:
        """Return the addresses of queries, keys and values in memory that all passes reuse."""
        shape = self._shape
        q = tokens * (_padded(shape.heads * shape.head_dim) + GAP)
        kv = (shape.kv_heads * slots + COLUMNS) * shape.head_dim + COLUMNS
        wanted = q + 2 * _padded(kv)
        if self._space.numel() < wanted:
            self._space = large_pages(4 * wanted).view(torch.float32)
        start = pointer(self._space)
        return start, start + 4 * q, start + 4 * (q + _padded(kv))

    def _layer(self, checkpoint: Checkpoint, index: int) -> CLayer:
        shape = checkpoint.shape

        def weight(name: str) -> Tensor:
            return checkpoint.weights[f"model.layers.{index}.{name}.weight"].float()

        linears = {
            **{name: _by_head(weight(f"self_attn.{name}_proj"), shape.head_dim) for name in "qkv"},
            "o": weight("self_attn.o_proj"),
            "gate_up": _interleaved(weight("mlp.gate_proj"), weight("mlp.up_proj")),
            "down": weight("mlp.down_proj"),
        }
        norms = ("input_layernorm", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm")
        return CLayer(
            **{name: self._keep(weight(of)) for name, of in zip(NORMS, norms, strict=True)},
            **{name: self._pack(linears[name]) for name in LINEARS},
        )

    def _pack(self, weight: Tensor) -> CLinear:
        outputs, inputs = weight.shape
        dtype, step = ELEMENTS[self._kind]
        weight = weight.contiguous()
        sizes = (_padded(outputs) * _rounded(inputs, step), dtype), *((_padded(outputs), of) for of in EXTRAS)
        places: list[Any] = [pointer(self._arena.take(*size)) for size in sizes]
        self._kernels.nearline_pack(
            KINDS[self._kind],
            ctypes.c_void_p(pointer(weight)),
            ctypes.c_int64(outputs),
            ctypes.c_int64(inputs),
            *map(ctypes.c_void_p, places),
        )
        if self._kind != "int8":
            places[1:] = [None, None]
        return CLinear(*places, inputs, _padded(outputs))

    def _keep(self, tensor: Tensor) -> Any:
        self._kept.append(tensor.contiguous())
        return pointer(self._kept[-1])


class _PlanArrays:
    """A plan in the form that the kernels read: arrays of 32-bit integers, a structure in each row."""

    NAMES = ("positions", "slot", "last", "segment", "query", "last_query")

    def __init__(self, plan: Plan) -> None:
        segments = plan.segments
        counts = np.array([segment.count for segment in segments], dtype=np.int32)
        starts = np.array([segment.start for segment in segments], dtype=np.int32)
        slots = np.concatenate(([0], np.cumsum(_padded(counts)))).astype(np.int32)
        within = np.arange(len(plan.ids), dtype=np.int32) - np.repeat(starts, counts)
        offsets = np.array([segment.offset for segment in segments], dtype=np.int32)
        self.slots = int(slots[-1])
        self.positions: Ints = within + np.repeat(offsets, counts)
        self.slot: Ints = within + np.repeat(slots[:-1], counts)
        parents = np.array([segment.parent for segment in segments], dtype=np.int32)
        self.segment: Ints = np.stack((slots[:-1], counts, parents), axis=1)
        ends = np.array(plan.ends, dtype=np.int32)
        self.last: Ints = starts[ends] + counts[ends] - 1
        rows = np.arange(len(ends), dtype=np.int32)
        self.last_query: Ints = np.stack((ends, rows, np.ones_like(ends), counts[ends] - 1), axis=1)
        self.query: Ints = np.array(
            [
                (number, segment.start + at, min(QUERIES, segment.count - at), at)
                for number, segment in enumerate(segments)
                for at in range(0, segment.count, QUERIES)
            ],
            dtype=np.int32,
        )


def _layer_bytes(shape: ModelShape, kind: str) -> int:
    """Return the bytes of one layer's packed matrices."""
    dtype, step = ELEMENTS[kind]
    heads, q, mlp = _padded(shape.head_dim), shape.heads * shape.head_dim, _rounded(shape.mlp, LANES)
    sizes = [(shape.heads * heads, shape.hidden), (shape.kv_heads * heads, shape.hidden)]
    sizes += [(shape.kv_heads * heads, shape.hidden), (shape.hidden, q)]
    sizes += [(2 * mlp, shape.hidden), (shape.hidden, shape.mlp)]
    return sum(
        aligned(_padded(outputs) * _rounded(inputs, step) * dtype.itemsize)
        + 2 * aligned(4 * _padded(outputs))
        for outputs, inputs in sizes
    )


def _rounded(n: int, to: int) -> int:
    return -(-n // to) * to


def _padded(n: Any) -> Any:
    return (n + COLUMNS - 1) // COLUMNS * COLUMNS


def _by_head(weight: Tensor, size: int) -> Tensor:
    """Pad each head's outputs with zeros to whole panels."""
    heads = weight.view(-1, size, weight.shape[1])
    return torch.nn.functional.pad(heads, (0, 0, 0, _padded(size) - size)).flatten(0, 1)


def _interleaved(gate: Tensor, up: Tensor) -> Tensor:
    """Interleave both weights, so that a panel has 16 outputs of the gate and the 16 of `up` that they multiply."""
    missing = -gate.shape[0] % LANES
    parts = [torch.nn.functional.pad(w, (0, 0, 0, missing)).view(-1, LANES, w.shape[1]) for w in (gate, up)]
    return torch.cat(parts, dim=1).flatten(0, 1)
