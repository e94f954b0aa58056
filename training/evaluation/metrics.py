"""Figures of one ranked query: NDCG@k with both gains, the poor-match rate, AUC. The only NDCG of this project.

Its tie rule is trec_eval's: scores are compared as fp32, and items with one score are put in descending order of their
ids (by code point, which is the order of their UTF-8 bytes). NDCG@k is then trec_eval's. Where a model is chosen by
its NDCG (training, pruning), items of one score stand in all orders alike: `earned_ndcg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from training.components.arrays import Floats, Ints
from training.evaluation.settings import MetricConfig

METRICS = ("ndcg", "ndcg_exp", "poor_match")
"""NDCG@k with linear gains, NDCG@k with gains 2^grade - 1, and the share of poor matches in the first k."""
TIE_RULE = "scores compared as fp32; items of one score in descending order of their ids, as trec_eval does"


def ranked(scores_N: Floats, posting_ids: Sequence[str]) -> Ints:
    """Indices of the items, best first, by the tie rule of this module."""
    by_id = np.array(
        sorted(range(len(posting_ids)), key=posting_ids.__getitem__, reverse=True), dtype=np.int64
    )
    return by_id[np.argsort(-single(scores_N)[by_id], kind="stable")]


def single(scores_N: Floats) -> npt.NDArray[np.float32]:
    """Scores rounded to fp32, as trec_eval does."""
    with np.errstate(over="ignore"):
        return scores_N.astype(np.float32)


def exponential(labels_N: Ints) -> Floats:
    """Gains 2^grade - 1."""
    gains: Floats = np.exp2(labels_N.astype(np.float64)) - 1.0
    return gains


def ndcg(gains_N: Floats, judged_M: Floats, k: int = 10) -> float:
    """DCG of gains in ranked order over the DCG of all judged gains in their best order.

    Nan where no gain is above 0.
    """
    best = dcg(np.sort(judged_M)[::-1], k)
    return dcg(gains_N, k) / best if best > 0 else float("nan")


def query_ndcg(scores_N: Floats, grades: Sequence[int], posting_ids: Sequence[str], k: int = 10) -> float:
    """NDCG@k, linear gains, of one query's scores by the tie rule of this module; nan where no grade is above 0."""
    gains = np.asarray(grades, dtype=np.float64)
    return ndcg(gains[ranked(scores_N, posting_ids)], gains, k)


def level(scores_N: Floats) -> bool:
    """Whether several items have one and the same score, so that the scores put them in no order."""
    held = single(scores_N)
    return len(held) > 1 and bool((held == held[0]).all())


def earned_ndcg(scores_N: Floats, grades: Sequence[int], k: int = 10) -> float:
    """NDCG@k, linear gains, as the mean over all orders of items of one score: by it models are chosen.

    Where no scores tie it is `query_ndcg`. By an order of ids a model that scores all items alike could be the best.
    """
    gains, held = np.asarray(grades, dtype=np.float64), single(scores_N)
    _, group_N, sizes = np.unique(-held, return_inverse=True, return_counts=True)
    shared = np.bincount(group_N, weights=gains) / sizes
    return ndcg(np.repeat(shared, sizes), gains, k)


def dcg(gains_N: Floats, k: int) -> float:
    """Sum of the first k gains, each over log2(rank + 1)."""
    first = gains_N[:k]
    return float(first @ _discounts(k)[: len(first)])


def figures(ranked_N: Ints, judged_M: Ints, config: MetricConfig) -> tuple[float, float, float]:
    """The METRICS of a query, from its grades in ranked order and from all its judged grades; nan where undefined."""
    first = ranked_N[: config.k]
    return (
        ndcg(ranked_N.astype(np.float64), judged_M.astype(np.float64), config.k),
        ndcg(exponential(ranked_N), exponential(judged_M), config.k),
        float((first <= config.poor).mean()) if len(first) else float("nan"),
    )


def expected(judged_M: Ints, config: MetricConfig) -> tuple[float, float, float]:
    """The METRICS of a query as exact means over all orders of its items."""
    poor = float((judged_M <= config.poor).mean())
    linear = _expected_ndcg(judged_M.astype(np.float64), config.k)
    return linear, _expected_ndcg(exponential(judged_M), config.k), poor


def _expected_ndcg(gains_M: Floats, k: int) -> float:
    level = np.full(len(gains_M), gains_M.mean())
    return ndcg(level, gains_M, k)


@cache
def _discounts(k: int) -> Floats:
    discounts: Floats = 1 / np.log2(np.arange(2, k + 2))
    return discounts


def auc(scores_N: Floats, positive_N: npt.NDArray[np.bool_]) -> float:
    """Share of (positive, negative) pairs in the right order, ties half; nan without both kinds."""
    ups, downs = scores_N[positive_N], scores_N[~positive_N]
    if not len(ups) or not len(downs):
        return float("nan")
    ordered = np.sort(downs)
    below = np.searchsorted(ordered, ups, "left") + np.searchsorted(ordered, ups, "right")
    return float(below.mean() / (2 * len(downs)))
