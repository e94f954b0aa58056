"""In-batch prefix caching with torch's kernels, on any device: computes a plan where our C++ kernels cannot run.

A prompt's own tokens attend causally to each other, then to their prefix, whose keys are computed in the same pass.
The two results are merged by their log-sum-exps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from models.engine.decoder import Decoder, repeated
from models.engine.forward.base import Forward
from models.engine.forward.plan import Plan, Segment

PADDED_TOKENS = 8192
"""Most tokens of a batch of segments, padding included."""


class PackedForward(Forward):
    """Computes a plan as one packed sequence without padding."""

    def __init__(self, model: Decoder) -> None:
        self._model = model

    @override
    def last_hidden(self, plan: Plan) -> Tensor:
        """Compute one unpadded sequence, in which a prefix that several prompts share stands once."""
        return self.hidden(plan)[last_tokens(plan).to(self._model.device)]

    @override
    def hidden(self, plan: Plan) -> Tensor:
        """Compute one unpadded sequence."""
        device = self._model.device
        ids_1N = torch.tensor([plan.ids], device=device)
        positions_1N = positions(plan).to(device)[None]
        merged = _MergedAttention(plan, device)
        hidden_1ND = self._model.forward(ids_1N, positions_1N, lambda _layer, q, k, v: merged(q, k, v))
        return hidden_1ND[0]


def positions(plan: Plan) -> Tensor:
    """Return the position of each token in its prompt, [N]."""
    return torch.cat([torch.arange(s.count) + s.offset for s in plan.segments])


def last_tokens(plan: Plan) -> Tensor:
    """Return the index of each prompt's last token, [prompts]."""
    return torch.tensor([plan.segments[end].start + plan.segments[end].count - 1 for end in plan.ends])


@dataclass(frozen=True, slots=True)
class _OwnTokens:
    """Segments of similar length, padded on the right: token indices [B, T], and which of them are no padding."""

    tokens: Tensor
    real: Tensor


@dataclass(frozen=True, slots=True)
class _SharedPrefix:
    """The indices of a prefix's tokens, and of all tokens that continue that prefix."""

    keys: slice
    queries: Tensor


class _MergedAttention:
    """Attention of each token to its prompt's own tokens and to their prefix, merged into one."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self._own = [_own(bucket, device) for bucket in _buckets(plan.segments)]
        self._shared = [
            _SharedPrefix(slice(prefix.start, prefix.start + prefix.count), queries.to(device))
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
    """Return attention [B, H, T, E] and, in fp32, the log of each query's sum of exponentials [B, H, T]."""
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


def _own(segments: Sequence[Segment], device: torch.device) -> _OwnTokens:
    starts = torch.tensor([s.start for s in segments])[:, None]
    counts = torch.tensor([s.count for s in segments])[:, None]
    places = torch.arange(int(counts.max()))[None]
    tokens = starts + torch.minimum(places, counts - 1)
    return _OwnTokens(tokens.to(device), (places < counts).to(device))


def _buckets(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Group segments of similar length, so that padding is little and no batch exceeds PADDED_TOKENS."""
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
    """Yield each prefix with the indices of the tokens that continue it."""
    for number, prefix in enumerate(segments):
        spans = [torch.arange(s.start, s.start + s.count) for s in segments if s.parent == number]
        if spans:
            yield prefix, torch.cat(spans)
