"""Figures of retrieval: recall of the first k, NDCG@10 after ranking them, recall at a number of candidates.

Q queries, N postings. A posting whose grade is unknown stands in no ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.components.arrays import Floats, Ints, Singles
from training.embedder.retrieval.sets import RELEVANT, Grades, RetrievalSet
from training.evaluation.metrics import ndcg

Rerank = Callable[[str, Sequence[int]], Floats]
"""A query and numbers of postings to the ranker's scores."""


def first(scores_N: Singles, grades_N: Grades, k: int) -> Ints:
    """The k best postings, best first; of equal scores the later posting first, so that no file order helps."""
    scores = np.where(grades_N >= 0, scores_N.astype(np.float64), -np.inf)
    order = np.lexsort((-np.arange(len(scores)), -scores))[:k]
    found: Ints = order[scores[order] > -np.inf]
    return found


def recall(scores_QN: Singles, found: RetrievalSet, k: int) -> Floats:
    """[Q] share of the relevant postings that stand among the first k, of k where more are relevant."""
    values = []
    for scores_N, grades_N in zip(scores_QN, found.grades_QN, strict=True):
        relevant = grades_N >= RELEVANT
        values.append(relevant[first(scores_N, grades_N, k)].sum() / min(k, int(relevant.sum())))
    return np.array(values, dtype=np.float64)


def reranked_ndcg(scores_QN: Singles, found: RetrievalSet, depth: int, rerank: Rerank) -> Floats:
    """[Q] NDCG@10, linear gains, of the first `depth` as a ranker orders them, beside the best order of all."""
    values = []
    for query, scores_N, grades_N in zip(found.queries, scores_QN, found.grades_QN, strict=True):
        rows = first(scores_N, grades_N, depth)
        order = np.argsort(-rerank(query, rows.tolist()), kind="stable")
        gains = grades_N[rows][order].astype(np.float64)
        values.append(ndcg(gains, grades_N.clip(min=0).astype(np.float64)))
    return np.array(values, dtype=np.float64)


def ranked_ndcg(scores_QN: Singles, found: RetrievalSet) -> Floats:
    """[Q] NDCG@10 of the retriever's own order."""
    rows = [first(scores, grades, 10) for scores, grades in zip(scores_QN, found.grades_QN, strict=True)]
    return np.array(
        [
            ndcg(grades[few].astype(np.float64), grades.clip(min=0).astype(np.float64))
            for few, grades in zip(rows, found.grades_QN, strict=True)
        ]
    )


def above(scores_QN: Singles, found: RetrievalSet, threshold: float) -> tuple[int, int, int]:
    """Numbers of pairs at or above a threshold, of the relevant ones among them, and of all relevant ones."""
    known, relevant = found.grades_QN >= 0, found.grades_QN >= RELEVANT
    chosen = (scores_QN >= threshold) & known
    return int(chosen.sum()), int((chosen & relevant).sum()), int(relevant.sum())


def threshold_for(scores: Singles, candidates: int) -> float:
    """The least score at which no more than so many of these are as high."""
    known = np.sort(scores)[::-1]
    if candidates >= len(known):
        return float(known[-1])
    higher = known[known > known[candidates]]
    return float(higher[-1]) if len(higher) else float(np.nextafter(known[0], np.float32(np.inf)))
