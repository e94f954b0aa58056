"""Batched decoding with a key-value cache: greedy at temperature 0, sampled above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.engine.base import GenerateJob
from models.engine.decoder import Decoder, Head, attention

Stopped = Callable[[int, list[int]], bool]
"""(row, tokens so far) -> whether a stop string has appeared; called for rows with stop strings or a listener."""

_SHRINK_SHARE = 0.8
"""Ended rows are removed once at most this share still runs: removing them copies the cache of the others."""


@torch.inference_mode()
def generate_many(
    model: Decoder, head: Head, jobs: Sequence[GenerateJob], eos_ids: frozenset[int], stopped: Stopped
) -> list[tuple[list[int], str]]:
    """Return for each job the continuation's tokens, without its end marker, and why it ended.

    The reason is `stop`, `length` or `abort`.
    """
    cache = _Cache(model, jobs)
    rows = running = [_Row(index, job, eos_ids, stopped) for index, job in enumerate(jobs)]
    penalties = _Penalties(model, jobs)
    logits_BV = head.logits(cache.prefill())
    while True:
        tokens_B = _pick(penalties.apply(logits_BV), running)
        for row, token in zip(running, tokens_B.tolist(), strict=True):
            row.take(token)
        left = [place for place, row in enumerate(running) if not row.reason]
        if not left:
            return [(row.tokens, row.reason) for row in rows]
        penalties.count(tokens_B)
        if len(left) <= _SHRINK_SHARE * len(running):
            running, tokens_B = [running[place] for place in left], tokens_B[left]
            cache.keep(left)
            penalties.keep(left)
        logits_BV = head.logits(cache.step(tokens_B))


def _pick(logits_BV: Tensor, rows: Sequence[_Row]) -> Tensor:
    tokens_B = logits_BV.argmax(dim=-1)
    sampled = [place for place, row in enumerate(rows) if row.job.temperature > 0]
    if sampled:
        temperatures = torch.tensor([rows[i].job.temperature for i in sampled], device=logits_BV.device)
        probabilities = torch.softmax(logits_BV[sampled] / temperatures[:, None], dim=-1)
        tokens_B[sampled] = torch.multinomial(probabilities, 1).squeeze(1)
    return tokens_B


class _Row:
    """One growing continuation; tokens decoded after its end, until its row is removed, are ignored."""

    def __init__(self, index: int, job: GenerateJob, eos_ids: frozenset[int], stopped: Stopped) -> None:
        self._index, self.job, self._eos_ids, self._stopped = index, job, eos_ids, stopped
        self.tokens: list[int] = []
        self.reason = ""

    def take(self, token: int) -> None:
        """Append the token unless the row has ended; an end marker, a stop string, `max_tokens` or an abort ends it."""
        if self.reason:
            return
        if self.job.course.aborted:
            self.reason = "abort"
            return
        if token in self._eos_ids:
            self.reason = "stop"
            return
        self.tokens.append(token)
        watched = self.job.stop or self.job.course.on_text
        if watched and self._stopped(self._index, self.tokens):
            self.reason = "stop"
        elif len(self.tokens) == self.job.max_tokens:
            self.reason = "length"


class _Penalties:
    """OpenAI's frequency penalty: each use of a token in the answer so far lowers its logit."""

    def __init__(self, model: Decoder, jobs: Sequence[GenerateJob]) -> None:
        self._weights_B1 = torch.tensor([[job.frequency_penalty] for job in jobs], device=model.device)
        self._active = bool(self._weights_B1.any())
        width = model.shape.vocab if self._active else 0
        self._counts_BV = torch.zeros(len(jobs), width, device=model.device)

    def apply(self, logits_BV: Tensor) -> Tensor:
        """Return logits less weight x count of each token; the same tensor if no job has a penalty."""
        return logits_BV - self._weights_B1 * self._counts_BV if self._active else logits_BV

    def count(self, tokens_B: Tensor) -> None:
        """Count the token that each row has just chosen."""
        if self._active:
            self._counts_BV.scatter_add_(1, tokens_B[:, None], torch.ones_like(self._weights_B1))

    def keep(self, places: list[int]) -> None:
        """Drop weights and counts of all rows but those at these places."""
        self._weights_B1, self._counts_BV = self._weights_B1[places], self._counts_BV[places]


class _Cache:
    """Keys and values [B, K, S, E] of each layer; row b holds `lengths[b]` tokens."""

    def __init__(self, model: Decoder, jobs: Sequence[GenerateJob]) -> None:
        shape = model.shape
        self._model = model
        self._prompts = [job.prompt for job in jobs]
        self._lengths_B = torch.tensor([len(prompt) for prompt in self._prompts], device=model.device)
        self._rows = torch.arange(len(jobs), device=model.device)
        self._longest = max(map(len, self._prompts))
        room = min(shape.context, self._longest + max(job.max_tokens for job in jobs))
        size = (shape.layers, 2, len(jobs), shape.kv_heads, room, shape.head_dim)
        self._kv = torch.zeros(size, dtype=model.dtype, device=model.device)

    def prefill(self) -> Tensor:
        """Compute the prompts; return the hidden state [B, D] of each one's last token."""
        ids_BT = torch.zeros(len(self._prompts), self._longest, dtype=torch.long)
        for row_T, prompt in zip(ids_BT, self._prompts, strict=True):
            row_T[: len(prompt)] = torch.tensor(prompt, dtype=torch.long)
        ids_BT = ids_BT.to(self._model.device)
        positions = torch.arange(self._longest, device=ids_BT.device).expand_as(ids_BT)
        hidden_BTD = self._model.forward(ids_BT, positions, self._attend_prompt)
        return hidden_BTD[self._rows, self._lengths_B - 1]

    def step(self, tokens_B: Tensor) -> Tensor:
        """Compute one more token of each row; return its hidden state [B, D]."""
        last = self._kv.shape[4] - 1
        positions_B1 = self._lengths_B.clamp(max=last)[:, None]
        hidden_B1D = self._model.forward(tokens_B[:, None], positions_B1, self._attend_step)
        self._lengths_B = self._lengths_B + 1
        self._longest = min(self._longest + 1, last)
        return hidden_B1D[:, 0]

    def keep(self, places: list[int]) -> None:
        """Keep only these rows, and only the width that they need."""
        self._lengths_B, self._rows = self._lengths_B[places], self._rows[: len(places)]
        self._longest = min(int(self._lengths_B.max()), self._kv.shape[4] - 1)
        self._kv = self._kv[:, :, places]

    def _attend_prompt(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._kv[layer, 0, :, :, : self._longest] = k
        self._kv[layer, 1, :, :, : self._longest] = v
        return attention(q, k, v, None)

    def _attend_step(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        at = self._lengths_B.clamp(max=self._kv.shape[4] - 1)
        keys, values = self._kv[layer]
        keys[self._rows, :, at], values[self._rows, :, at] = k[:, :, 0], v[:, :, 0]
        width = self._longest + 1
        mask = torch.arange(width, device=at.device)[None] <= at[:, None]
        return attention(q, keys[:, :, :width], values[:, :, :width], mask[:, None, None])
