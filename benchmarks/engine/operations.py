"""Floating-point operations that an answer needs, when tokens that items share are computed once."""

from __future__ import annotations

from benchmarks.engine.workload import Load
from models.engine.checkpoint import ModelShape


def necessary(shape: ModelShape, load: Load, *, last_layer_whole: bool) -> int:
    """Operations (two for a multiply-add) of linear layers and attention; the head's label rows are left out.

    With `last_layer_whole` every token goes through all of every layer; without it the last layer computes keys
    and values for all tokens, and the rest only for the last token of each item, which is all that is read.
    """
    tokens = load.shared + sum(load.own)
    ends = [load.shared + own for own in load.own]
    seen = _seen(0, load.shared) + sum(_seen(load.shared, end) for end in ends)
    layer = tokens * _linear(shape) + _attention(shape, seen)
    last = layer
    if not last_layer_whole:
        rest = _linear(shape) - _keys_values(shape)
        last = tokens * _keys_values(shape) + len(ends) * rest + _attention(shape, sum(ends))
    return load.requests * ((shape.layers - 1) * layer + last)


def _seen(start: int, end: int) -> int:
    """Pairs of a token at `start` to `end` - 1 and a token that it sees, itself among them."""
    return (end * (end + 1) - start * (start + 1)) // 2


def _linear(shape: ModelShape) -> int:
    """Of one token in one layer."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return 2 * shape.hidden * (2 * q + 2 * kv + 3 * shape.mlp)


def _keys_values(shape: ModelShape) -> int:
    return 2 * shape.hidden * 2 * shape.kv_heads * shape.head_dim


def _attention(shape: ModelShape, seen: int) -> int:
    """Queries times keys and weights times values."""
    return 4 * shape.heads * shape.head_dim * seen
