"""The pass of a plan by torch's own kernels, on any device: in-batch prefix caching where there are no kernels of ours.

A prompt's own tokens attend causally to themselves, then to their prefix, whose keys are computed in the same pass,
and the two are merged by their log-sum-exps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from models.engine.forward.base import Forward
from models.engine.forward.plan import Plan, Segment
from models.engine.qwen3 import Qwen3, repeated

PADDED_TOKENS = 8192


class PackedForward(Forward):
    """The forward pass by torch's own kernels: one row of tokens, whose attention is merged with their prefix's."""

    def __init__(self, model: Qwen3) -> None:
        self._model = model

    @override
    def last_hidden(self, plan: Plan) -> Tensor:
        device = self._model.device
        ids_1N = torch.tensor([plan.ids], device=device)
        positions_1N = positions(plan).to(device)[None]
        merged = _Merged(plan, device)
        hidden_1ND = self._model.forward(ids_1N, positions_1N, lambda _layer, q, k, v: merged(q, k, v))
        return hidden_1ND[0, last_tokens(plan).to(device)]


def positions(plan: Plan) -> Tensor:
    """Position [N] of each token in its prompt."""
    return torch.cat([torch.arange(s.count) + s.offset for s in plan.segments])


def last_tokens(plan: Plan) -> Tensor:
    """The token [prompts] that each prompt ends with."""
    return torch.tensor([plan.segments[end].start + plan.segments[end].count - 1 for end in plan.ends])


@dataclass(frozen=True, slots=True)
class _Own:
    """Segments of like length, padded on the right: tokens [B, T], and which of them are real."""

    tokens: Tensor
    real: Tensor


@dataclass(frozen=True, slots=True)
class _Shared:
    """A prefix's tokens, and all that continue it."""

    keys: slice
    queries: Tensor


class _Merged:
    """Attention to each prompt's own tokens and to its prefix, merged."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self._own = [_own(bucket, device) for bucket in _buckets(plan.segments)]
        self._shared = [
            _Shared(slice(prefix.start, prefix.start + prefix.count), queries.to(device))
            for prefix, queries in _continued(plan.segments)
        ]

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out, lse = torch.empty_like(q), torch.empty(q.shape[:3], dtype=torch.float32, device=q.device)
        for own in self._own:
            rows = own.tokens[own.real]
            part, part_lse = attention_with_lse(*(_taken(x, own.tokens) for x in (q, k, v)), causal=True)
            out[0, :, rows] = part.transpose(0, 1)[:, own.real]
            lse[0, :, rows] = part_lse.transpose(0, 1)[:, own.real]
        for shared in self._shared:
            at = shared.queries
            keys, values = k[:, :, shared.keys], v[:, :, shared.keys]
            part, part_lse = attention_with_lse(q[:, :, at], keys, values, causal=False)
            share = torch.sigmoid(part_lse - lse[:, :, at]).unsqueeze(-1).to(out.dtype)
            out[:, :, at] = torch.lerp(out[:, :, at], part, share)
        return out


def attention_with_lse(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> tuple[Tensor, Tensor]:
    """Attention [B, H, T, E] and the log of each query's sum of exponentials [B, H, T], in fp32."""
    k, v = repeated(k, q), repeated(v, q)
    aten = torch.ops.aten
    if q.device.type == "cpu":
        out, lse = aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal)  # noqa: SLF001
    elif q.dtype is torch.float32:
        out, lse, *_ = aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, causal)  # noqa: SLF001
    else:
        out, lse, *_ = aten._scaled_dot_product_flash_attention(q, k, v, 0.0, causal)  # noqa: SLF001
    return out, lse[..., : q.shape[2]].float()


def _taken(x_1HNE: Tensor, tokens_BT: Tensor) -> Tensor:
    return x_1HNE[0, :, tokens_BT].transpose(0, 1)


def _own(segments: Sequence[Segment], device: torch.device) -> _Own:
    starts = torch.tensor([s.start for s in segments])[:, None]
    counts = torch.tensor([s.count for s in segments])[:, None]
    places = torch.arange(int(counts.max()))[None]
    tokens = starts + torch.minimum(places, counts - 1)
    return _Own(tokens.to(device), (places < counts).to(device))


def _buckets(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Segments of like lengths together, so that little is padded and no batch outgrows the memory."""
    bucket: list[Segment] = []
    for segment in sorted(segments, key=lambda s: s.count):
        crowded = segment.count * (len(bucket) + 1) > PADDED_TOKENS
        if bucket and (crowded or segment.count > 1.25 * bucket[0].count + 8):
            yield bucket
            bucket = []
        bucket.append(segment)
    if bucket:
        yield bucket


def _continued(segments: Sequence[Segment]) -> Iterator[tuple[Segment, Tensor]]:
    """Each prefix with the tokens that see it whole."""
    for number, prefix in enumerate(segments):
        spans = [torch.arange(s.start, s.start + s.count) for s in segments if s.parent == number]
        if spans:
            yield prefix, torch.cat(spans)
