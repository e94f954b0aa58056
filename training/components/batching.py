"""Texts of like length put together, so that a padded batch wastes little."""

from __future__ import annotations

from collections.abc import Sequence


def by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """All rows, shortest first, in batches whose count times longest row is at most `batch_tokens`.

    A row longer than `batch_tokens` is a batch by itself; rows of one length keep their order.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or (len(batches[-1]) + 1) * lengths[row] > batch_tokens:
            batches.append([])
        batches[-1].append(row)
    return batches
