"""Scores of many prompts (equation 2): shared tokens are computed once, and only last tokens go through the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.engine.base import ScoreJob
from models.engine.decoder import Head
from models.engine.forward.base import Forward
from models.engine.forward.plan import passes

HEAD_ROWS = 64
"""Rows of logits over the whole vocabulary that are in memory at once: 39 MB with Qwen3's."""


@torch.inference_mode()
def score_many(
    forward: Forward, head: Head, jobs: Sequence[ScoreJob], budget_tokens: int
) -> list[list[list[float]]]:
    """Return probabilities [job][item][label]; see `Engine.score_many`."""
    scores: list[list[list[float]]] = [[[] for _ in job.items] for job in jobs]
    for job in jobs:
        job.report.computed_tokens, job.report.hidden_states = 0, [] if job.hidden_states else None
    for plan, parts in passes(jobs, budget_tokens):
        hidden_PD = forward.last_hidden(plan)
        start = 0
        for part in parts:
            job, count = jobs[part.job], part.items.stop - part.items.start
            rows = hidden_PD[start : start + count]
            scores[part.job][part.items] = _label_probabilities(head, rows, job, job.labels[part.items])
            _report(head, rows, job, part.computed_tokens)
            start += count
    return scores


def _report(head: Head, hidden_ND: Tensor, job: ScoreJob, computed_tokens: int) -> None:
    """Add to a job's report what a pass computed for it."""
    report = job.report
    report.computed_tokens = (report.computed_tokens or 0) + computed_tokens
    if report.hidden_states is not None:
        report.hidden_states += head.normed(hidden_ND).tolist()


def _label_probabilities(
    head: Head,
    hidden_ND: Tensor,
    job: ScoreJob,
    labels: Sequence[list[int]],
) -> list[list[float]]:
    found: list[list[float]] = [[]] * len(labels)
    for ids, rows in _same_labels(labels).items():
        label_ids = torch.tensor(ids, device=hidden_ND.device)
        some_ND = hidden_ND if len(rows) == len(labels) else hidden_ND[rows]
        of_labels = _softmax_of_labels if job.softmax_over_labels else _of_vocabulary
        probabilities = of_labels(head, some_ND, label_ids, job.temperature)
        for row, values in zip(rows, probabilities.tolist(), strict=True):
            found[row] = values
    return found


def _same_labels(labels: Sequence[list[int]]) -> dict[tuple[int, ...], list[int]]:
    """Group rows whose labels are the same."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, ids in enumerate(labels):
        groups.setdefault(tuple(ids), []).append(row)
    return groups


def _softmax_of_labels(head: Head, hidden_ND: Tensor, labels: Tensor, temperature: float) -> Tensor:
    return _softmax(head.logits(hidden_ND, labels), temperature)


def _of_vocabulary(head: Head, hidden_ND: Tensor, labels: Tensor, temperature: float) -> Tensor:
    def parts() -> Iterator[Tensor]:
        for some_ND in torch.split(hidden_ND, HEAD_ROWS):
            yield _softmax(head.logits(some_ND), temperature)[:, labels]

    return torch.cat(list(parts()))


def _softmax(logits: Tensor, temperature: float) -> Tensor:
    """Softmax of logits minus their maximum, so that nothing overflows however low the temperature is."""
    return torch.softmax((logits - logits.amax(dim=-1, keepdim=True)) / temperature, dim=-1)
