"""First weights of the summarizer: a circuit that copies flagged words of a text, each once, in their order.

Token vectors are [meaning | identity | before | last | link | flags]; identity is a random code, so that two words
are never confused. Layer 0 finds out where in the text a token stands and what stands before it; its MLP learns from
the place and the token's salience to raise the flag KEPT (`keeping.py`). Layer 1 makes a clear yes or no of the flag,
and drops a token whose like is already known to stand before another one. In layer 2 every token finds the last kept
token up to itself, in layer 3 it takes over its predecessor's finding: its link. In layer 4 the token just written
looks for the kept token whose link it is: the next word to write. If there is none, it finds one that is not kept,
and ends.
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
SLOW = 12
"""Rotary frequencies from this one on are slow enough to compare content anywhere (checkpoint: base 1e8)."""
HALF = 32
GAIN = 12.0
BIAS = 0.4
DECISION = 0.6
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
"""Cosine and sine weights on the fast frequencies whose sum falls with every step from distance 0 to 2,100.

Found by gradient ascent on its smallest fall, which is .0014 at a total weight of 1.
"""
PLACES = 550.0
"""A token t places from the start reads about PLACES / (PLACES + t) in the flag PLACE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Token ids: the prompt's first and last, and the end token."""

    first: int
    last: int
    end: int


def vectors(meaning_VE: Table, score_V: Table, marks: Marks, seed: int) -> Table:
    """[V, WIDTH] token vectors: meaning and identity of length 1 each, and the flags known without context."""
    rng = np.random.default_rng(seed)
    table = np.zeros((len(meaning_VE), WIDTH), dtype=np.float32)
    table[:, :MEANING] = meaning_VE / (np.linalg.norm(meaning_VE, axis=1, keepdims=True) + 1e-6)
    codes = rng.normal(size=(len(table), CODE)).astype(np.float32)
    table[:, IDENTITY_AT:BEFORE_AT] = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    # What follows the prompt's last token is the kept word that no kept word precedes: one that links to the first.
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
    """Set the circuit into a new 5-layer model whose embeddings `vectors` made; the flag KEPT is left to training."""
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
    """Head 0: equal attention to all tokens but for the prompt's first, whose share falls with distance."""
    q, k, v, o = _cleared(attention, 0)
    share = float(np.log(PLACES)) / (8 * GAIN)
    q[HALF - 1, CONSTANT] = 1.0
    k[HALF - 1, SINK] = share / (1 - share**2) ** 0.5
    k[2 * HALF - 1, CONSTANT] = 1 / BIAS
    v[0, SINK] = 1.0
    o[PLACE, 0] = 0.08


def _plant_shift(attention: Qwen3Attention, head: int, source: int, target: int) -> None:
    """A head that copies the code at `source` of the token before to `target`."""
    q, k, v, o = _cleared(attention, head)
    for i in range(SLOW):
        turn = ROTARY_BASE ** (-i / HALF)
        q[i, CONSTANT], q[i + HALF, CONSTANT] = float(np.cos(turn)), -float(np.sin(turn))
        k[i, CONSTANT] = 1.0
    v[:CODE, source : source + CODE] = torch.eye(CODE)
    o[target : target + CODE, :CODE] = 0.1 * torch.eye(CODE)


def _plant_seen(attention: Qwen3Attention) -> None:
    """Head 1 of layer 1: the successor of an earlier like token, if any, else the prompt's first token."""
    q, k, v, o = _cleared(attention, 1)
    _compare(q, k, BEFORE_AT, 1.0)
    q[HALF - 1, CONSTANT] = 1.6
    k[HALF - 1, SINK] = 1.0
    v[0, CONSTANT] = 1.0
    v[0, SINK] = -BIAS
    o[DROPPED, 0] = 0.3


def _plant_decision(attention: Qwen3Attention) -> None:
    """Head 0 of layer 1: a token finds itself, or the prompt's first token unless KEPT is above a half.

    The first token's share makes DROPPED: 0 or 1, however loud KEPT and the token itself are.
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
    """Head 0 of layer 2: the last kept token up to this one, or the prompt's first."""
    q, k, v, o = _cleared(attention, 0)
    q[HALF - 1, CONSTANT] = 1.0
    k[HALF - 1, DROPPED] = -0.7
    k[HALF - 1, SINK] = 0.59
    near = np.array(NEARNESS)
    for i in range(SLOW):
        # sum_i a_i cos(w_i d) + b_i sin(w_i d) at distance d, from keys on the first axis of each plane.
        size = float(np.hypot(*near[:, i])) + 1e-9
        q[i, CONSTANT] = 0.9 * float(near[0, i]) / size**0.5
        q[i + HALF, CONSTANT] = -0.9 * float(near[1, i]) / size**0.5
        k[i, CONSTANT] = size**0.5
    v[:CODE, IDENTITY_AT:BEFORE_AT] = torch.eye(CODE)
    o[LAST_AT:LINK_AT, :CODE] = 0.1 * torch.eye(CODE)


def _compare(q: Tensor, k: Tensor, key_at: int, weight: float) -> None:
    """Queries are identities, keys are the codes at `key_at`, on dimensions that turn slowly."""
    slow = [*range(SLOW, HALF - 1), *range(HALF + SLOW, 2 * HALF - 1)]
    code = torch.eye(CODE)[: len(slow)] * weight
    q[slow, IDENTITY_AT:BEFORE_AT] = code
    k[slow, key_at : key_at + CODE] = code


def _plant_next(attention: Qwen3Attention, rng: torch.Generator) -> None:
    """Heads 0 and 1 of layer 4: the kept token whose link is this token; its identity and meaning are written."""
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
