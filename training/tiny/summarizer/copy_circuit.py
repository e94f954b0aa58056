"""First weights of the tiny summarizer: heads set by hand that copy chosen words of a text, each once, in order.

A token's vector is [meaning | identity | before | last | link | flags]. `identity` is a random code, so that no two
words are confused; the layers fill `before`, `last` and `link` with identities of other tokens. Only the flag `KEPT` is
learned (`keep_layer.py`).

| layer | a token reads | and writes |
|---|---|---|
| 0, head 0 | the share of its attention that the prompt's first token gets | `PLACE`: how early it stands |
| 0, head 1 | the token just before it | `before`: that token's identity |
| 0, MLP | its own `PLACE`, `SCORE` and meaning | `KEPT`: whether a summary keeps it |
| 1, head 0 | its own `KEPT` | `DROPPED`: 1 unless `KEPT` is above a half |
| 1, head 1 | an earlier token whose `before` is its identity: the word occurred already | `DROPPED`: raised further |
| 2, head 0 | the nearest token up to itself that is not `DROPPED` | `last`: that token's identity |
| 3, head 0 | the `last` of the token just before it | `link`: the kept word that precedes it |
| 4, heads 0, 1 | the kept token whose `link` is the word just written | the next word; `END` if there is none |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention

from training.tiny.checkpoint import ROTARY_BASE
from training.tiny.ranker.match_circuit import head_of
from training.tiny.vocabulary import Table

MEANING, CODE, FLAGS = 68, 44, 12
WIDTH = MEANING + 4 * CODE + FLAGS
IDENTITY_AT, BEFORE_AT, LAST_AT, LINK_AT, FLAGS_AT = (MEANING + i * CODE for i in range(5))
CONSTANT, SINK, SCORE, EMPTY, PLACE, KEPT, DROPPED, END = (FLAGS_AT + i for i in range(8))
"""Dimensions of the flags; `SINK` marks the prompt's first token, where heads look that find nothing."""
SLOW = 12
"""Rotary frequencies from this one on turn so slowly that content compares at any distance (base 1e8)."""
HALF = 32
GAIN = 12.0
BIAS = 0.4
DECISION = 0.6
"""The value of `KEPT` that separates kept tokens from others in training."""
NEARNESS = (
    (7e-05, 0.0002, 0.00081, 0.001, 0.00162, 0.00208, 0.00106, 0.0043, 0.00829, -0.02434, -0.07601, 0.62532),
    (
        -1e-05,
        -0.00014,
        -0.00022,
        -0.00027,
        -0.00168,
        -0.00359,
        -0.00438,
        -0.00711,
        -0.00926,
        -0.03919,
        -0.26158,
        -0.16819,
    ),
)
"""Cosine and sine weights on the fast frequencies; their sum falls with each token of distance, from 0 to 2,100.

Found by gradient ascent on the smallest fall from one distance to the next, which is .0014 at a total weight of 1.
"""
PLACES = 550.0
"""The flag `PLACE` of the t-th token is about PLACES / (PLACES + t)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizerMarkers:
    """Token ids with a part in the circuit: the prompt's first and last token, and the end token."""

    first: int
    last: int
    end: int


def vectors(meaning_VE: Table, score_V: Table, marks: SummarizerMarkers, seed: int) -> Table:
    """Token vectors [V, WIDTH]: meaning and identity, each of length 1, and the flags that do not depend on context."""
    rng = np.random.default_rng(seed)
    table = np.zeros((len(meaning_VE), WIDTH), dtype=np.float32)
    table[:, :MEANING] = meaning_VE / (np.linalg.norm(meaning_VE, axis=1, keepdims=True) + 1e-6)
    codes = rng.normal(size=(len(table), CODE)).astype(np.float32)
    table[:, IDENTITY_AT:BEFORE_AT] = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    # The first kept word links to the prompt's first token; with that identity the prompt's last token finds it.
    table[marks.last, IDENTITY_AT:BEFORE_AT] = table[marks.first, IDENTITY_AT:BEFORE_AT]
    table[:, CONSTANT] = BIAS
    table[:, SCORE] = np.clip(score_V / 3, -1, 1)
    table[score_V < -9, EMPTY] = 0.5
    table[marks.first, SINK] = 1.0
    table[marks.end] = 0.0
    table[marks.end, END] = 1.4
    return table


@torch.no_grad()
def plant(model: Qwen3ForCausalLM, rng: torch.Generator) -> None:
    """Set the circuit's weights in a new 5-layer model whose embeddings `vectors` made; `KEPT` is left to training."""
    heads = [layer.self_attn for layer in model.model.layers]
    _plant_place(heads[0])
    _plant_shift(heads[0], 1, IDENTITY_AT, BEFORE_AT)
    _plant_decision(heads[1])
    _plant_seen(heads[1])
    _plant_last(heads[2])
    _plant_shift(heads[3], 0, LAST_AT, LINK_AT)
    _plant_next(heads[4], rng)
    for attention, gain in zip(heads, (GAIN, 5 * GAIN, 20 * GAIN, GAIN, GAIN), strict=True):
        attention.q_norm.weight.fill_(gain)
    norm = model.model.norm.weight
    norm.fill_(0.0)
    norm[:BEFORE_AT] = 3.0
    norm[END] = 3.0


def _plant_place(attention: Qwen3Attention) -> None:
    """Layer 0, head 0: equal attention to all tokens so far, so that the first token's share falls with the place."""
    q, k, v, o = _cleared(attention, 0)
    share = float(np.log(PLACES)) / (8 * GAIN)
    q[HALF - 1, CONSTANT] = 1.0
    k[HALF - 1, SINK] = share / (1 - share**2) ** 0.5
    k[2 * HALF - 1, CONSTANT] = 1 / BIAS
    v[0, SINK] = 1.0
    o[PLACE, 0] = 0.08


def _plant_shift(attention: Qwen3Attention, head: int, source: int, target: int) -> None:
    """A head that copies the code at `source` of the preceding token to `target` of this one."""
    q, k, v, o = _cleared(attention, head)
    for i in range(SLOW):
        turn = ROTARY_BASE ** (-i / HALF)
        q[i, CONSTANT], q[i + HALF, CONSTANT] = float(np.cos(turn)), -float(np.sin(turn))
        k[i, CONSTANT] = 1.0
    v[:CODE, source : source + CODE] = torch.eye(CODE)
    o[target : target + CODE, :CODE] = 0.1 * torch.eye(CODE)


def _plant_seen(attention: Qwen3Attention) -> None:
    """Layer 1, head 1: attend to the token after an earlier occurrence of this word, else to the prompt's first."""
    q, k, v, o = _cleared(attention, 1)
    _compare(q, k, BEFORE_AT, 1.0)
    q[HALF - 1, CONSTANT] = 1.6
    k[HALF - 1, SINK] = 1.0
    v[0, CONSTANT] = 1.0
    v[0, SINK] = -BIAS
    o[DROPPED, 0] = 0.3


def _plant_decision(attention: Qwen3Attention) -> None:
    """Layer 1, head 0: attend to oneself where `KEPT` is above a half, else to the prompt's first token.

    `DROPPED` is the attention to that first token, hence about 0 or 1 whatever the size of `KEPT`.
    """
    q, k, v, o = _cleared(attention, 0)
    for fast in range(8):
        q[fast, CONSTANT] = 1.0
        k[fast, CONSTANT] = 1.0
        k[fast, SINK] = -BIAS
    q[HALF - 1, CONSTANT] = 5.0
    q[HALF - 1, KEPT] = -1.43
    k[HALF - 1, SINK] = 1.0
    v[0, SINK] = 1.0
    o[DROPPED, 0] = 0.12


def _plant_last(attention: Qwen3Attention) -> None:
    """Layer 2, head 0: attend to the nearest kept token up to this one, else to the prompt's first token."""
    q, k, v, o = _cleared(attention, 0)
    q[HALF - 1, CONSTANT] = 1.0
    k[HALF - 1, DROPPED] = -0.7
    k[HALF - 1, SINK] = 0.59
    near = np.array(NEARNESS)
    for i in range(SLOW):
        # The score at distance d is sum_i a_i cos(w_i d) + b_i sin(w_i d): keys lie on the first axis of each plane.
        size = float(np.hypot(*near[:, i])) + 1e-9
        q[i, CONSTANT] = 0.9 * float(near[0, i]) / size**0.5
        q[i + HALF, CONSTANT] = -0.9 * float(near[1, i]) / size**0.5
        k[i, CONSTANT] = size**0.5
    v[:CODE, IDENTITY_AT:BEFORE_AT] = torch.eye(CODE)
    o[LAST_AT:LINK_AT, :CODE] = 0.1 * torch.eye(CODE)


def _compare(q: Tensor, k: Tensor, key_at: int, weight: float) -> None:
    """Set queries to identities and keys to the codes at `key_at`, on dimensions that turn slowly."""
    slow = [*range(SLOW, HALF - 1), *range(HALF + SLOW, 2 * HALF - 1)]
    code = torch.eye(CODE)[: len(slow)] * weight
    q[slow, IDENTITY_AT:BEFORE_AT] = code
    k[slow, key_at : key_at + CODE] = code


def _plant_next(attention: Qwen3Attention, rng: torch.Generator) -> None:
    """Layer 4: attend to the kept token whose `link` is this token; head 0 writes its identity, head 1 its meaning."""
    for head in (0, 1):
        q, k, v, o = _cleared(attention, head)
        _compare(q, k, LINK_AT, 1.0)
        q[HALF - 1, CONSTANT] = 0.6
        k[HALF - 1, DROPPED] = -0.3
        if head == 0:
            v[:CODE, IDENTITY_AT:BEFORE_AT] = torch.eye(CODE)
            v[CODE, DROPPED] = 1.0
            v[CODE + 1, CONSTANT] = 1.0
            o[IDENTITY_AT:BEFORE_AT, :CODE] = 0.6 * torch.eye(CODE)
            o[END, CODE], o[END, CODE + 1] = 3.0, -3.3
        else:
            projection = torch.empty(2 * HALF, MEANING)
            nn.init.orthogonal_(projection, generator=rng)
            v[:, :MEANING] = projection
            o[:MEANING, :] = 0.6 * projection.T


def _cleared(attention: Qwen3Attention, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    views = head_of(attention, head)
    for view in views:
        view.zero_()
    return views
