"""First weights of the tiny ranker: attention heads set by hand that match words; training starts from them.

| layer | a token reads | and writes |
|---|---|---|
| first | the query's marker word (head 0), the item's (head 1) | `IN_QUERY`: positive inside the query only |
| last but two | query words with a similar vector, or itself (heads 0-2) | `MATCH`: its attention on the query |
| last | the highest `MATCH` so far (head 0), their mean (head 1) | `ANSWER`: logit of yes minus logit of no |

`MATCH` is high where the query asks for the token's word.

All other heads and layers begin with output projections of zero, so that at the start they change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention

from training.tiny.vocabulary import Table

RESERVED = 16
"""Dimensions at the end of the residual stream that token vectors leave free."""
CONSTANT, ITEM_MARK, QUERY_MARK, ANSWER, STOP, IN_QUERY, MATCH = range(7)
"""The reserved dimensions, counted from their first; `MATCH` is the first of MATCH_HEADS."""
MATCH_HEADS = 3
OF_ITEM = 0.5
"""The weight of `MATCH` in the last layer's keys and values."""
SLOW = 12
"""The first rotary frequency slow enough (1e-3 a token at base 1e8) to compare content at any distance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerMarkers:
    """Token ids that the circuit knows: the word before the query, an item's first word, the labels, stop words."""

    query: int
    item: int
    yes: int
    no: int
    stop: tuple[int, ...]


def plant_vectors(vectors_VE: Table, marks: RankerMarkers) -> Table:
    """Token vectors [V, E + RESERVED]: the given ones at length 1, then the reserved dimensions with the markers."""
    unit = vectors_VE / (np.linalg.norm(vectors_VE, axis=1, keepdims=True) + 1e-6)
    table: Table = np.concatenate([unit, np.zeros((len(unit), RESERVED), dtype=np.float32)], axis=1)
    first = unit.shape[1]
    table[:, first + CONSTANT] = 0.35
    table[marks.query, first + QUERY_MARK] = 1.0
    table[marks.item, first + ITEM_MARK] = 1.0
    table[marks.yes, first + ANSWER] = 1.0
    table[marks.no, first + ANSWER] = -1.0
    table[list(marks.stop), first + STOP] = 0.5
    return table


@torch.no_grad()
def plant(model: Qwen3ForCausalLM, rng: torch.Generator) -> None:
    """Set the circuit's weights in a new model of at least four layers whose embeddings `plant_vectors` made.

    In half of the heads the query projection is made equal to the key projection, so that tokens attend to similar
    ones.
    """
    first = model.config.hidden_size - RESERVED
    for layer in model.model.layers:
        attention = layer.self_attn
        half = attention.q_proj.weight.shape[0] // 2
        attention.q_proj.weight[half:] = attention.k_proj.weight[half:]
    regions, *_, match, _, gather = (layer.self_attn for layer in model.model.layers)
    _plant_regions(regions, first)
    _plant_match(match, first, rng)
    _plant_gather(gather, first)
    regions.q_norm.weight.fill_(1.4)
    match.q_norm.weight.fill_(2.0)


def _plant_regions(attention: Qwen3Attention, first: int) -> None:
    """Head 0 finds the query's marker, head 1 the item's; their difference is positive inside the query."""
    for head, mark, sign in ((0, QUERY_MARK, 1.0), (1, ITEM_MARK, -1.0)):
        q, k, v, o = head_of(attention, head)
        for weight in (q, k, v, o):
            weight.zero_()
        q[-1, first + CONSTANT] = 1.0
        k[-1, first + mark] = 1.0
        k[-2, first + CONSTANT] = 0.5
        v[0, first + mark] = 1.0
        o[first + IN_QUERY, 0] = 0.06 * sign


def _plant_match(attention: Qwen3Attention, first: int, rng: torch.Generator) -> None:
    """Heads 0-2 compare token vectors by random projections on dimensions that turn slowly.

    Keys in the query get a bonus.
    """
    half = head_of(attention, 0)[0].shape[0] // 2
    slow = [*range(SLOW, half - 1), *range(half + SLOW, 2 * half - 1)]
    for head in range(MATCH_HEADS):
        q, k, v, o = head_of(attention, head)
        projection = torch.empty(len(slow), first)
        nn.init.orthogonal_(projection, generator=rng)
        for weight in (q, k, v, o):
            weight.zero_()
        q[slow, :first] = projection * 2.4
        k[slow, :first] = projection * 2.4
        q[-1, first + CONSTANT] = 2.2
        q[-1, first + STOP] = -2.2
        k[-1, first + IN_QUERY] = 0.8
        k[-1, first + STOP] = -1.2
        v[0, first + IN_QUERY] = 1.0
        o[first + MATCH + head, 0] = 0.06


def _plant_gather(attention: Qwen3Attention, first: int) -> None:
    """Head 0 attends to the token that matches best, head 1 to all tokens alike.

    Both write what they find to `ANSWER`.
    """
    for head in (0, 1):
        q, k, v, o = head_of(attention, head)
        for weight in (q, k, v, o):
            weight.zero_()
        q[-1 if head == 0 else -3, first + CONSTANT] = 1.0
        k[-2, first + CONSTANT] = 0.5
        for weight, row in ((k, -1), (v, 0)):
            # A query's word matches itself, so matches found inside the query are taken off.
            weight[row, first + IN_QUERY] = -1.6 * OF_ITEM
            weight[row, first + MATCH : first + MATCH + MATCH_HEADS] = OF_ITEM
        v[1, first + CONSTANT] = 1.0
        o[first + ANSWER, 0] = (0.01, 0.1)[head]
        o[first + ANSWER, 1] = (-0.006, -0.01)[head]


def head_of(attention: Qwen3Attention, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One head's weights as views: its rows of q, k and v, and its columns of o."""
    size: int = attention.head_dim
    rows = slice(head * size, (head + 1) * size)
    q, k, v = (p.weight[rows] for p in (attention.q_proj, attention.k_proj, attention.v_proj))
    return q, k, v, attention.o_proj.weight[:, rows]
