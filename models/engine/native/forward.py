"""Run the C++ kernels: pack a checkpoint for them, then compute the last hidden states of a plan's prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from models.engine.checkpoint import Checkpoint, ModelShape
from models.engine.forward.base import Forward
from models.engine.forward.plan import Plan
from models.engine.native.kernels import Kernels, Layout
from models.engine.native.memory import Arena, aligned, large_pages
from models.engine.native.structs import (
    BIASES,
    LINEARS,
    NORMS,
    CBatch,
    CLayer,
    CLinear,
    CModel,
    PackedMatrix,
    pointer,
)
from models.engine.rope import rotary

GAP = 16
"""Unused floats between two rows of queries (linear.h)."""
QUERIES = 126
"""Most queries of one unit of work in attention."""
LARGEST_HEAD = 256
ELEMENTS = {1: torch.int8, 2: torch.int16, 4: torch.float32}
"""Types of packed weights, by their bytes; the bits of bfloat16 lie in 16-bit integers."""
STORAGES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
"""Types of an embedding, and their numbers in forward.cpp."""
EXTRAS = (torch.float32, torch.int32)
"""Types of each output's scale and of the initial value of its sum; used by int8 only."""
Ints = NDArray[np.int32]


def available(kernels: Kernels, kind: str, shape: ModelShape) -> bool:
    """Whether the kernels can compute this shape in this arithmetic."""
    fits = shape.head_dim <= LARGEST_HEAD and shape.head_dim % 2 == 0
    return fits and kernels.layout(kind) is not None


class NativeForward(Forward):
    """The forward pass by the C++ kernels; `kind` is the arithmetic of the linear layers."""

    def __init__(self, checkpoint: Checkpoint, kind: str, threads: int, kernels: Kernels) -> None:
        layout = kernels.layout(kind)
        assert layout is not None  # noqa: S101  (the caller asked `available`)
        self._kernels, self._kind, self._layout, self._shape = kernels, kind, layout, checkpoint.shape
        self._kept: list[Tensor] = []
        self._arena = Arena(checkpoint.shape.layers * _layer_bytes(checkpoint.shape, layout))
        embedding = checkpoint.weights["model.embed_tokens.weight"]
        self._embedding = embedding if embedding.dtype in STORAGES else embedding.float()
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
            embedding=self._keep(self._embedding),
            norm_eps=shape.norm_eps,
            threads=threads,
            storage=STORAGES[self._embedding.dtype],
        )
        self._space = torch.empty(0)

    @override
    def last_hidden(self, plan: Plan) -> Tensor:
        """Use memory that all calls share, so that one may run at a time; RuntimeError if `kind` cannot run."""
        return self._computed(plan, _PlanArrays(plan, self._layout.columns))

    @override
    def hidden(self, plan: Plan) -> Tensor:
        """As `last_hidden`: the last layer, too, computes every token."""
        return self._computed(plan, _PlanArrays(plan, self._layout.columns, every=True))

    def _computed(self, plan: Plan, tables: _PlanArrays) -> Tensor:
        self._check(tables.ids)
        items = len(tables.last)
        out = torch.empty(items, self._shape.hidden)
        # prompts that are equal end at one token, so that there may be more prompts than tokens
        x, q, keys, values = self._work_space(max(len(plan.ids), items), tables.slots)
        batch = CBatch(
            tokens=len(plan.ids),
            slots=tables.slots,
            items=items,
            segments=len(plan.segments),
            queries=len(tables.query),
            last_queries=len(tables.last_query),
            out=pointer(out),
            x=x,
            q=q,
            keys=keys,
            values=values,
            **{name: pointer(getattr(tables, name)) for name in _PlanArrays.NAMES},
        )
        self._kernels.forward(self._kind, self._model, batch)
        return out

    def _check(self, ids: Ints) -> None:
        """Raise IndexError for a token that has no row in the embedding, beyond which the kernels would read."""
        vocabulary = len(self._embedding)
        if ids.size and not 0 <= ids.min() <= ids.max() < vocabulary:
            raise IndexError(f"token ids are {ids.min()} to {ids.max()}, the model has 0 to {vocabulary - 1}")

    def _work_space(self, tokens: int, slots: int) -> tuple[int, int, int, int]:
        """Return the addresses of states, queries, keys and values in memory that all passes reuse."""
        shape, columns = self._shape, self._layout.columns
        x = _rounded(tokens * shape.hidden, columns)
        q = tokens * (_rounded(shape.heads * shape.head_dim, columns) + GAP)
        kv = _rounded((shape.kv_heads * slots + columns) * shape.head_dim + columns, columns)
        wanted = x + q + 2 * kv
        if self._space.numel() < wanted:
            self._space = large_pages(4 * wanted).view(torch.float32)
        start = pointer(self._space)
        return start, start + 4 * x, start + 4 * (x + q), start + 4 * (x + q + kv)

    def _layer(self, checkpoint: Checkpoint, index: int) -> CLayer:
        shape, columns = checkpoint.shape, self._layout.columns

        def weight(name: str) -> Tensor:
            return checkpoint.weights[f"model.layers.{index}.{name}.weight"].float()

        linears = {
            **{name: _by_head(weight(f"self_attn.{name}_proj"), shape.head_dim, columns) for name in "qkv"},
            "o": weight("self_attn.o_proj"),
            "gate_up": _interleaved(weight("mlp.gate_proj"), weight("mlp.up_proj"), columns // 2),
            "down": weight("mlp.down_proj"),
        }
        norms = ("input_layernorm", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm")
        return CLayer(
            **{
                name: self._vector(checkpoint, index, f"{of}.weight")
                for name, of in zip(NORMS, norms, strict=True)
            },
            **{name: self._vector(checkpoint, index, f"self_attn.{name[0]}_proj.bias") for name in BIASES},
            **{name: self._pack(linears[name]) for name in LINEARS},
        )

    def _vector(self, checkpoint: Checkpoint, index: int, name: str) -> Any:
        """Return the address of a layer's norm or bias, None where the architecture has none."""
        found = checkpoint.weights.get(f"model.layers.{index}.{name}")
        return None if found is None else self._keep(found.float())

    def _pack(self, weight: Tensor) -> CLinear:
        outputs, inputs = weight.shape
        layout, weight = self._layout, weight.contiguous()
        padded = _rounded(outputs, layout.columns)
        count = padded * _rounded(inputs, layout.step)
        sizes = ((count, ELEMENTS[layout.element_bytes]), *((padded, of) for of in EXTRAS))
        panels, scales, begin = (pointer(self._arena.take(*size)) for size in sizes)
        self._kernels.pack(self._kind, pointer(weight), PackedMatrix(panels, scales, begin, inputs, outputs))
        extras = (scales, begin) if self._kind == "int8" else (None, None)
        return CLinear(panels, *extras, inputs, padded)

    def _keep(self, tensor: Tensor) -> Any:
        self._kept.append(tensor.contiguous())
        return pointer(self._kept[-1])


class _PlanArrays:
    """A plan in the form that the kernels read: arrays of 32-bit integers, a structure in each row."""

    NAMES = ("ids", "positions", "slot", "last", "segment", "query", "last_query")

    def __init__(self, plan: Plan, columns: int, *, every: bool = False) -> None:
        """`every`: the last layer's output is wanted of each token, not of each prompt's last one."""
        segments = plan.segments
        self.ids: Ints = np.array(plan.ids, dtype=np.int32)
        counts = np.array([segment.count for segment in segments], dtype=np.int32)
        starts = np.array([segment.start for segment in segments], dtype=np.int32)
        slots = np.concatenate(([0], np.cumsum(_rounded(counts, columns)))).astype(np.int32)
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
        if every:
            self.last, self.last_query = np.arange(len(plan.ids), dtype=np.int32), self.query


def _layer_bytes(shape: ModelShape, layout: Layout) -> int:
    """Return the bytes of one layer's packed matrices."""
    columns = layout.columns
    head, q, mlp = (
        _rounded(shape.head_dim, columns),
        shape.heads * shape.head_dim,
        _rounded(shape.mlp, columns // 2),
    )
    sizes = [(shape.heads * head, shape.hidden), (shape.kv_heads * head, shape.hidden)]
    sizes += [(shape.kv_heads * head, shape.hidden), (shape.hidden, q)]
    sizes += [(2 * mlp, shape.hidden), (shape.hidden, shape.mlp)]
    return sum(
        aligned(_rounded(outputs, columns) * _rounded(inputs, layout.step) * layout.element_bytes)
        + 2 * aligned(4 * _rounded(outputs, columns))
        for outputs, inputs in sizes
    )


def _rounded(n: Any, to: int) -> Any:
    """Round a number or an array of them up to a multiple."""
    return (n + to - 1) // to * to


def _by_head(weight: Tensor, size: int, columns: int) -> Tensor:
    """Pad each head's outputs with zeros to whole panels."""
    heads = weight.view(-1, size, weight.shape[1])
    return torch.nn.functional.pad(heads, (0, 0, 0, _rounded(size, columns) - size)).flatten(0, 1)


def _interleaved(gate: Tensor, up: Tensor, half: int) -> Tensor:
    """Interleave both weights: a panel has `half` outputs of the gate, and the `half` of `up` that they multiply."""
    missing = -gate.shape[0] % half
    parts = [torch.nn.functional.pad(w, (0, 0, 0, missing)).view(-1, half, w.shape[1]) for w in (gate, up)]
    return torch.cat(parts, dim=1).flatten(0, 1)
