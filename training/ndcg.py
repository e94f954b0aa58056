"""NDCG@k of one query's scores against its grades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.figures import Floats


def ndcg(scores_N: Floats, grades: Sequence[int], k: int = 10) -> float:
    """With linear gains; items of one score keep their order, and without a graded item it is nan."""
    gains = np.asarray(grades, dtype=np.float64)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = float((np.sort(gains)[::-1][:k] * discounts[: len(gains)]).sum())
    order = np.argsort(-scores_N, kind="stable")[:k]
    return float((gains[order] * discounts[: len(order)]).sum()) / best if best else float("nan")
