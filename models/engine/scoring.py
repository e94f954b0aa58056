"""Equation (2) for many prompts: each request's prefix is computed once, only last tokens reach the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.engine.base import ScoreJob
from models.engine.qwen3 import Qwen3, attention

BUCKET_TOKENS = 8192
"""Padded tokens in one forward pass: enough to fill two CPU cores, small enough to stay in their caches."""
HEAD_ROWS = 64
"""Rows of full-vocabulary logits held at once: 39 MB with Qwen3's vocabulary."""


@torch.inference_mode()
def score_many(model: Qwen3, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
    """Probabilities [job][item][label]; see `Engine.score_many`."""
    scores: list[list[list[float]]] = [[]] * len(jobs)
    for group in _buckets([len(job.prefix) for job in jobs]):
        for index, rows in zip(group, _score_group(model, [jobs[i] for i in group]), strict=True):
            scores[index] = rows
    return scores


def _score_group(model: Qwen3, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
    """Jobs whose prefixes are padded to one length."""
    splits = [_split(job) for job in jobs]
    prefixes = _Prefixes(model, [prefix for prefix, _ in splits])
    rows = [(index, item) for index, (_, items) in enumerate(splits) for item in items]
    hidden_RD = torch.empty(len(rows), model.shape.hidden, dtype=model.dtype, device=model.device)  # noqa: N806
    for bucket in _buckets([prefixes.width + len(item) for _, item in rows]):
        hidden_RD[bucket] = prefixes.last_hidden([rows[i] for i in bucket])
    parts = torch.split(hidden_RD, [len(items) for _, items in splits])
    return [_label_probabilities(model, part, job) for part, job in zip(parts, jobs, strict=True)]


def _split(job: ScoreJob) -> tuple[list[int], list[list[int]]]:
    """Shared tokens and the rest of each row, which must not be empty: its last token is what is scored."""
    if all(job.items):
        return job.prefix, job.items
    return [], [job.prefix + item for item in job.items]


def _buckets(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of like lengths together, so that little is padded and no batch outgrows the memory."""
    bucket: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if bucket and lengths[index] * (len(bucket) + 1) > BUCKET_TOKENS:
            yield bucket
            bucket = []
        bucket.append(index)
    if bucket:
        yield bucket


def _pad(model: Qwen3, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids [B, T] padded on the right, where no real token looks, and the lengths [B]."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for row_T, row in zip(ids, rows, strict=True):  # noqa: N806
        row_T[: len(row)] = torch.tensor(row, dtype=torch.long)
    return ids.to(model.device), lengths.to(model.device)


class _Prefixes:
    """Keys and values of every request's prefix, computed once."""

    def __init__(self, model: Qwen3, prefixes: Sequence[list[int]]) -> None:
        self._model = model
        self._kv: list[tuple[Tensor, Tensor]] = []
        ids_BT, self._lengths_B = _pad(model, prefixes)  # noqa: N806
        self.width = ids_BT.shape[1]
        if self.width:
            positions = torch.arange(self.width, device=model.device).expand_as(ids_BT)
            model.forward(ids_BT, positions, self._keep)

    def last_hidden(self, rows: Sequence[tuple[int, list[int]]]) -> Tensor:
        """Hidden state [B, D] of the last token of each (prefix index, rest of the prompt)."""
        model = self._model
        ids_BT, lengths_B = _pad(model, [rest for _, rest in rows])  # noqa: N806
        which_B = torch.tensor([index for index, _ in rows], device=model.device)  # noqa: N806
        shared_B = self._lengths_B[which_B]  # noqa: N806
        tokens = torch.arange(ids_BT.shape[1], device=model.device)
        seen = torch.arange(self.width, device=model.device)[None, None] < shared_B[:, None, None]
        causal = tokens[None, :, None] >= tokens[None, None]
        mask = torch.cat(
            (seen.expand(-1, len(tokens), -1), causal.expand(len(rows), -1, -1)), dim=-1
        ).unsqueeze(1)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            if not self.width:
                return attention(q, k, v, None)
            k_shared, v_shared = self._kv[layer]
            k = torch.cat((k_shared[which_B], k), dim=2)
            v = torch.cat((v_shared[which_B], v), dim=2)
            return attention(q, k, v, mask)

        hidden_BTD = model.forward(ids_BT, shared_B[:, None] + tokens[None], attend)  # noqa: N806
        return hidden_BTD[torch.arange(len(rows), device=model.device), lengths_B - 1]

    def _keep(self, _layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._kv.append((k, v))
        return attention(q, k, v, None)


def _label_probabilities(model: Qwen3, hidden_ND: Tensor, job: ScoreJob) -> list[list[float]]:  # noqa: N803
    rows: list[list[float]] = [[]] * len(job.items)
    for labels, which in _same_labels(job.labels).items():
        ids = torch.tensor(labels, device=model.device)
        for row, values in zip(
            which, _probabilities(model, hidden_ND[which], ids, job).tolist(), strict=True
        ):
            rows[row] = values
    return rows


def _same_labels(labels: Sequence[list[int]]) -> dict[tuple[int, ...], list[int]]:
    """Rows by what is asked of them."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, ids in enumerate(labels):
        groups.setdefault(tuple(ids), []).append(row)
    return groups


def _probabilities(model: Qwen3, hidden_ND: Tensor, labels: Tensor, job: ScoreJob) -> Tensor:  # noqa: N803
    if job.softmax_over_labels:
        return torch.softmax(model.logits(hidden_ND, labels) / job.temperature, dim=-1)
    rows = torch.split(hidden_ND, HEAD_ROWS)
    return torch.cat([torch.softmax(model.logits(row) / job.temperature, dim=-1)[:, labels] for row in rows])
