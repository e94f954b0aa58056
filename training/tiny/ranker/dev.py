"""NDCG@10 of a ranker in training, on queries of the dev split, which nothing is learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from transformers import Qwen3ForCausalLM

from models.prompts import Item, Prompter
from training.evaluation.metrics import earned_ndcg
from training.evaluation.offline import TransformersScorer
from training.judging.policy import MATCHING, load_policy
from training.judging.records import Judged
from training.rules.judge import JudgeConfig, PreparedDomain, judged

CHARACTERS = 2000
"""Where texts are cut for dev queries, which cost training time."""
SEED = 3


def dev_ndcg(domains: Sequence[PreparedDomain], count: int) -> Callable[[Qwen3ForCausalLM, Prompter], str]:
    """A function that says a model's NDCG@10 on `count` dev queries of each domain, with the text and without."""
    sets = {one.words.domain: _queries(one, count) for one in domains}

    def measure(model: Qwen3ForCausalLM, prompter: Prompter) -> str:
        scorer = TransformersScorer(model, prompter)
        said = [_said(name, scorer, queries) for name, queries in sets.items()]
        model.train()
        return "dev NDCG@10 " + "; ".join(said)

    return measure


def _said(name: str, scorer: TransformersScorer, queries: Sequence[Judged]) -> str:
    whole = _mean(scorer, [(one, one.items) for one in queries])
    without = _mean(scorer, [(one, [replace(i, text="") for i in one.items]) for one in queries])
    return f"{name} {whole:.3f} (without text {without:.3f})"


def _mean(scorer: TransformersScorer, shown: Sequence[tuple[Judged, Sequence[Item]]]) -> float:
    scores = scorer.differences([(one.query, items) for one, items in shown])
    return float(np.nanmean([earned_ndcg(s, one.grades) for s, (one, _) in zip(scores, shown, strict=True)]))


def _queries(domain: PreparedDomain, count: int) -> list[Judged]:
    items = {row.posting_id: row.item for row in domain.splits.postings["dev"]}
    pools = judged(domain, "dev", count, SEED, JudgeConfig().pool, load_policy(MATCHING))
    return [
        Judged(
            query=rows[0].query,
            posting_ids=tuple(row.posting_id for row in rows),
            items=tuple(
                replace(items[row.posting_id], text=items[row.posting_id].text[:CHARACTERS]) for row in rows
            ),
            grades=tuple(row.label for row in rows),
        )
        for rows in pools
    ]
