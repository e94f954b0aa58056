"""The order of examples: which are in which batch of which step, a pure function of (seed, stage, epoch).

A run resumed after step N computes the same plan and continues at N + 1. Batches are bucketed by length rather than
packed: a batch padded on the right needs no mask under causal attention, so that training runs the kernels of
inference, while packing needs a block mask, for which CPUs and some GPUs have only slow attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

Candidates = tuple[int, ...]
"""Rows of one query that the listwise loss compares; a single row where there is no such loss."""
Batch = tuple[Candidates, ...]
"""The candidates of one forward pass."""

BUCKET = 2048
"""Rows sorted by length together: more rows need less padding, fewer make batches more random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBatches:
    """The batches of one update, over all processes."""

    epoch: int
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfig:
    """Settings of the order; with `list_size` 1 each row is drawn by itself."""

    seed: str
    batch_tokens: int
    accumulation: int = 1
    list_size: int = 1


def plan(
    lengths: Sequence[int], queries: Sequence[Sequence[int]], config: OrderConfig, epochs: int
) -> list[StepBatches]:
    """All steps of all epochs. `lengths`: tokens by row; `queries`: the rows of each query."""
    steps: list[StepBatches] = []
    for epoch in range(epochs):
        batches = epoch_batches(lengths, queries, config, epoch)
        starts = range(0, len(batches), config.accumulation)
        steps += [
            StepBatches(epoch=epoch, batches=tuple(batches[at : at + config.accumulation])) for at in starts
        ]
    return steps


def epoch_batches(
    lengths: Sequence[int], queries: Sequence[Sequence[int]], config: OrderConfig, epoch: int
) -> list[Batch]:
    """Every row exactly once, in batches of at most `batch_tokens` tokens with padding, in random order."""
    rng = Random(f"{config.seed}/{epoch}")
    lists = [part for rows in queries for part in _lists(rng, rows, lengths, config)]
    rng.shuffle(lists)
    batches: list[Batch] = []
    for bucket in _buckets(lists):
        bucket.sort(key=lambda rows: max(lengths[row] for row in rows))
        batches += _filled(bucket, lengths, config.batch_tokens)
    rng.shuffle(batches)
    return batches


def _lists(rng: Random, rows: Sequence[int], lengths: Sequence[int], config: OrderConfig) -> list[Candidates]:
    out: list[list[int]] = []
    wide = 0
    for row in rng.sample(list(rows), len(rows)):
        wide = max(wide, lengths[row])
        if not out or len(out[-1]) == config.list_size or (len(out[-1]) + 1) * wide > config.batch_tokens:
            out.append([])
            wide = lengths[row]
        out[-1].append(row)
    return [tuple(part) for part in out]


def _buckets(lists: Sequence[Candidates]) -> list[list[Candidates]]:
    buckets: list[list[Candidates]] = []
    room = 0
    for rows in lists:
        if room < len(rows):
            buckets.append([])
            room = max(BUCKET, len(rows))
        buckets[-1].append(rows)
        room -= len(rows)
    return buckets


def _filled(bucket: Sequence[Candidates], lengths: Sequence[int], batch_tokens: int) -> list[Batch]:
    batches: list[list[Candidates]] = []
    count = 0
    for rows in bucket:
        # The bucket is sorted by length, so these rows are the longest of their batch.
        wide = max(lengths[row] for row in rows)
        if not batches or (count + len(rows)) * wide > batch_tokens:
            batches.append([])
            count = 0
        batches[-1].append(rows)
        count += len(rows)
    return [tuple(batch) for batch in batches]
