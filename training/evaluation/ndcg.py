"""NDCG@k of one query's scores against its grades, for callers that know no ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.components.arrays import Floats
from training.evaluation import metrics


def ndcg(scores_N: Floats, grades: Sequence[int], k: int = 10) -> float:
    """With linear gains; items of one score keep their order, and without a graded item it is nan."""
    gains = np.asarray(grades, dtype=np.float64)
    return metrics.ndcg(gains[np.argsort(-scores_N, kind="stable")], gains, k)
