"""First weights of the ranker that already match words: a small hand-set circuit which training then refines.

The first layer tells each token's region (system text, query or item) from two marker words of the prompt. In the
last but two a token of the item attends to query words like it, with itself as the alternative, so that the weight
on the query is a soft "this word was asked for". The last gathers those weights and writes the answer. Everything
else, such as whole layers between these, has zero output projections, so that training starts from the circuit alone.
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
"""Dimensions of the residual stream kept free of token vectors, at its end."""
CONSTANT, ITEM_MARK, QUERY_MARK, ANSWER, STOP, IN_QUERY, MATCH = range(7)
MATCH_HEADS = 3
OF_ITEM = 0.5
SLOW = 12
"""The first rotary frequency slow enough (1e-3 a token at base 1e8) to compare content at any distance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerMarkers:
    """Token ids: the last system word before the query, the first word of an item, the label words, and empty words."""

    query: int
    item: int
    yes: int
    no: int
    stop: tuple[int, ...]


def plant_vectors(vectors_VE: Table, marks: RankerMarkers) -> Table:
    """[V, E + RESERVED]: rows of length 1, then the reserved dimensions with the marks."""
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
    """Set the circuit into a new model of four layers or more whose embeddings `plant_vectors` made.

    In half the heads the query projection equals the key projection: tokens attend to their relatives.
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
    """Head 0 finds the query's mark, head 1 the item's; the difference of the two says "inside the query"."""
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
    """Heads 0-2 compare token vectors through random projections on slow dimensions, keys in the query preferred."""
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
    """Head 0 looks for the best match in the item, head 1 averages over all that was read; both write the answer."""
    for head in (0, 1):
        q, k, v, o = head_of(attention, head)
        for weight in (q, k, v, o):
            weight.zero_()
        q[-1 if head == 0 else -3, first + CONSTANT] = 1.0
        k[-2, first + CONSTANT] = 0.5
        for weight, row in ((k, -1), (v, 0)):
            # A query word matches itself: what it found does not count.
            weight[row, first + IN_QUERY] = -1.6 * OF_ITEM
            weight[row, first + MATCH : first + MATCH + MATCH_HEADS] = OF_ITEM
        v[1, first + CONSTANT] = 1.0
        o[first + ANSWER, 0] = (0.01, 0.1)[head]
        o[first + ANSWER, 1] = (-0.006, -0.01)[head]


def head_of(attention: Qwen3Attention, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Views of one head's rows of q, k, v and columns of o."""
    size: int = attention.head_dim
    rows = slice(head * size, (head + 1) * size)
    q, k, v = (p.weight[rows] for p in (attention.q_proj, attention.k_proj, attention.v_proj))
    return q, k, v, attention.o_proj.weight[:, rows]
