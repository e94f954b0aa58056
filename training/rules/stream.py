"""Training queries without end, drawn afresh: (query, [(posting id, label)])."""

from __future__ import annotations

from collections.abc import Iterator

from training.rules.judge import JudgeConfig, Prepared, pooled
from training.rules.pools import Pools
from training.rules.teacher import Aggregate, RuleTeacher, weakest


def stream(
    prepared: Prepared, seed: int, aggregate: Aggregate = weakest
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Queries over the train split alone; the same for the same seed."""
    corpus = prepared.corpus("train")
    pools = Pools(corpus, RuleTeacher(prepared.words, prepared.known), aggregate, JudgeConfig().train_pool)
    for drawn, found in pooled(corpus, pools, seed):
        yield drawn.ask.query, [(corpus.postings[c.position].posting_id, c.label) for c in found]
