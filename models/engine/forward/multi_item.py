"""Multi-item scoring: all prompts of a pass in one packed sequence, under a mask by which none sees another.

Compiled, on a GPU, it uses PyTorch's flex attention, which reads only the blocks that hold something visible, and a
pass is one CUDA graph for each of a few lengths. Uncompiled, on a CPU, the whole mask [tokens, tokens] is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from typing_extensions import override

from models.engine.decoder import Attend, Decoder, repeated
from models.engine.forward.base import Forward
from models.engine.forward.plan import Plan

BLOCK = 128
LENGTHS_GROW = 1.25
"""A pass is padded to the next length of a ladder with this ratio, so at most 20% of a long pass is padding."""

Ints = NDArray[np.int32]
Run = Callable[[Tensor, Tensor, BlockMask], Tensor]


class MultiItemForward(Forward):
    """Computes a plan as one masked sequence."""

    def __init__(self, model: Decoder, *, compiled: bool) -> None:
        self._model, self._compiled = model, compiled

    @cached_property
    def _flex(self) -> Run:
        mode = "reduce-overhead" if self._model.device.type == "cuda" else "default"
        compiled: Run = torch.compile(self._hidden, mode=mode, dynamic=False)
        return compiled

    @override
    def last_hidden(self, plan: Plan) -> Tensor:
        """Take the tokens at the prompts' ends."""
        last = [plan.segments[end].start + plan.segments[end].count - 1 for end in plan.ends]
        return self.hidden(plan)[torch.tensor(last, device=self._model.device)]

    @override
    def hidden(self, plan: Plan) -> Tensor:
        """Compiled, pad the sequence and skip masked blocks; uncompiled, build the whole mask, of tokens x tokens."""
        device = self._model.device
        length = rounded_length(len(plan.ids)) if self._compiled else len(plan.ids)
        ids = torch.zeros(1, length, dtype=torch.long)
        ids[0, : len(plan.ids)] = torch.tensor(plan.ids)
        ids = ids.to(device)
        segment, parent, position = (torch.from_numpy(table).to(device) for table in tables(plan, length))
        if self._compiled:
            hidden_1ND = self._flex(ids, position[None], block_mask(plan, length, segment, parent))
        else:
            hidden_1ND = self._model.forward(ids, position[None], _masked(segment, parent))
        return hidden_1ND[0, : len(plan.ids)]

    def _hidden(self, ids: Tensor, positions: Tensor, mask: BlockMask) -> Tensor:
        def attend(_layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            attended = flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
            assert isinstance(attended, Tensor)  # noqa: S101  (it is a pair only if log-sum-exps are asked for)
            return attended

        return self._model.forward(ids, positions, attend)


def _masked(segment: Tensor, parent: Tensor) -> Attend:
    place = torch.arange(len(segment), device=segment.device)
    mask = _sees(segment, parent, place[:, None], place[None])
    return lambda _layer, q, k, v: F.scaled_dot_product_attention(
        q, repeated(k, q), repeated(v, q), attn_mask=mask
    )


def _sees(segment: Tensor, parent: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Return whether a token sees another: it sees its own segment up to itself, and the whole parent segment."""
    own = (segment[query] == segment[key]) & (query >= key)
    return own | (parent[query] == segment[key])


def rounded_length(tokens: int) -> int:
    """Return the length to pad a pass to: the next of the compiled lengths, a multiple of BLOCK."""
    length = float(BLOCK)
    while length < tokens:
        length *= LENGTHS_GROW
    return -(-int(length) // BLOCK) * BLOCK


def tables(plan: Plan, length: int) -> tuple[Ints, Ints, Ints]:
    """Return segment, parent segment and position of each token, [length] each.

    Padding is a segment of its own, whose parent does not exist.
    """
    counts = [segment.count for segment in plan.segments]
    position = np.zeros(length, np.int32)
    segment, parent = np.full(length, -2, np.int32), np.full(length, -3, np.int32)
    used = len(plan.ids)
    segment[:used] = np.repeat(np.arange(len(counts)), counts)
    parent[:used] = np.repeat([s.parent for s in plan.segments], counts)
    position[:used] = np.concatenate([np.arange(s.offset, s.offset + s.count) for s in plan.segments])
    return segment, parent, position


def block_mask(plan: Plan, length: int, segment: Tensor, parent: Tensor) -> BlockMask:
    """Return the mask for flex attention, with the blocks that hold something visible.

    Their number grows with the tokens, not with their square.
    """

    def sees(_batch: Any, _head: Any, query: Tensor, key: Tensor) -> Tensor:
        return _sees(segment, parent, query, key)

    numbers, indices = visible_blocks(plan, length)
    made = BlockMask.from_kv_blocks(
        torch.from_numpy(numbers).to(segment.device)[None, None],
        torch.from_numpy(indices).to(segment.device)[None, None],
        BLOCK_SIZE=BLOCK,
        mask_mod=sees,
        seq_lengths=(length, length),
    )
    assert isinstance(made, BlockMask)  # noqa: S101
    return made


def visible_blocks(plan: Plan, length: int) -> tuple[Ints, Ints]:
    """Return for each block of queries how many blocks of keys it needs, [blocks], and which, [blocks, blocks]."""
    blocks = -(-length // BLOCK)
    seen: list[set[int]] = [{block} for block in range(blocks)]
    for s in plan.segments:
        parent = plan.segments[s.parent] if s.parent >= 0 else None
        shared = (
            range(parent.start // BLOCK, (parent.start + parent.count - 1) // BLOCK + 1) if parent else ()
        )
        for block in range(s.start // BLOCK, (s.start + s.count - 1) // BLOCK + 1):
            seen[block].update(shared, range(s.start // BLOCK, block + 1))
    indices = np.zeros((blocks, blocks), np.int32)
    for block, keys in enumerate(seen):
        indices[block, : len(keys)] = sorted(keys)
    return np.array([len(keys) for keys in seen], np.int32), indices
