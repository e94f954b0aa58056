"""One measurement of an embedder's retrieval, from postings files to a report; and the threshold of its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.embedder import Embedder
from training.components.arrays import Floats, Singles
from training.components.reporting import Log
from training.embedder.retrieval.figures import ranked_ndcg, recall, reranked_ndcg
from training.embedder.retrieval.report import FIRST, candidate_rows, figure_rows, pooled_threshold
from training.embedder.retrieval.retrievers import (
    Encode,
    Postings,
    Retrieve,
    bi_encoder,
    bm25,
    embedder,
    fused,
    half_of_words,
)
from training.embedder.retrieval.sets import RetrievalSet, first_rules, second_rules
from training.embedder.retrieval.settings import RetrievalConfig
from training.evaluation.scorers import LogitScorer
from training.judging.policy import MATCHING, load_policy
from training.rules.judge import PreparedDomain
from training.rules.second.judging import read_all
from training.rules.second.lexicon import second_lexicon

Summarize = Callable[[PreparedDomain, str], Postings]
"""A domain and a split to its postings with their summaries."""
FIGURES = {"recall": "recall@100", "ndcg": "NDCG@10 as retrieved", "ranked": "NDCG@10 after ranking"}


def sets_of(domain: PreparedDomain, config: RetrievalConfig) -> list[RetrievalSet]:
    """The sets of a domain's test split, those of which no training knows first."""
    policy, corpus = load_policy(MATCHING), domain.corpus("test")
    read = read_all(corpus.postings, second_lexicon(domain.words.domain))
    return [
        second_rules(read, config.second, config.seed, policy),
        first_rules(corpus, "held out", config.queries, config.seed, policy),
        first_rules(corpus, "trained", config.queries, config.seed, policy),
    ]


def retrievers(model: Embedder, encode: Encode | None) -> dict[str, Retrieve]:
    """The embedder and what it is compared with; MiniLM is left out where there is no encoder."""
    whole, ours = bm25(whole=True), embedder(model)
    found = {FIRST: ours, "bm25": whole, "bm25, summary": bm25(whole=False)}
    if encode:
        found |= {
            "minilm": bi_encoder(encode, whole=True),
            "minilm, summary": bi_encoder(encode, whole=False),
        }
    return found | {"hybrid": fused([ours, whole])}


def measure(
    domains: Sequence[PreparedDomain],
    summarize: Summarize,
    model: Embedder,
    encode: Encode | None,
    scorer: LogitScorer,
    config: RetrievalConfig,
    threshold: float | None,
    report: Log,
) -> dict[str, Any]:
    """The report of all domains."""
    systems, rows, groups = (
        retrievers(model, encode),
        [],
        dict[str, list[tuple[RetrievalSet, Singles, Singles]]](),
    )
    for domain in domains:
        postings = summarize(domain, "test")
        for one in sets_of(domain, config):
            report(
                f"{one.domain}, {one.name}: {len(one.queries)} queries over {one.grades_QN.shape[1]} postings"
            )
            scores = {name: retrieve(one.queries, postings) for name, retrieve in systems.items()}
            rows.append(_row(one, scores, postings, scorer, config))
            group = groups.setdefault(one.name, [])
            group.append((one, scores[FIRST], half_of_words(one.queries, postings)))
    return {
        "embedder": model.model,
        "figures": FIGURES,
        "retrievers": list(systems),
        "sets": rows,
        "candidates": {name: candidate_rows(*_columns(group), threshold) for name, group in groups.items()},
    }


def derived_threshold(
    domains: Sequence[PreparedDomain],
    summarize: Summarize,
    model: Embedder,
    config: RetrievalConfig,
    share: float,
) -> float:
    """The cosine at which the dev split has `share` of the lexical matcher's candidates, all domains together."""
    policy, group = load_policy(MATCHING), []
    for domain in domains:
        found = first_rules(domain.corpus("dev"), "trained", config.queries, config.seed, policy)
        postings = summarize(domain, "dev")
        group.append(
            (found, embedder(model)(found.queries, postings), half_of_words(found.queries, postings))
        )
    sets, scores, matched = _columns(group)
    candidates = sum(
        int((one[found.grades_QN >= 0] > 0).sum()) for found, one in zip(sets, matched, strict=True)
    )
    return pooled_threshold(sets, scores, round(share * candidates))


def _row(
    found: RetrievalSet,
    scores: dict[str, Singles],
    postings: Postings,
    scorer: LogitScorer,
    config: RetrievalConfig,
) -> dict[str, Any]:
    values: dict[str, dict[str, Floats]] = {
        "recall": {name: recall(one, found, config.depth) for name, one in scores.items()},
        "ndcg": {name: ranked_ndcg(one, found) for name, one in scores.items()},
    }
    if config.ranked:
        values["ranked"] = _ranked(_first_queries(found, config.ranked), scores, postings, scorer, config)
    return {
        "domain": found.domain,
        "name": found.name,
        "queries": len(found.queries),
        "figures": {name: figure_rows(one, config.bootstrap) for name, one in values.items()},
    }


def _ranked(
    found: RetrievalSet,
    scores: dict[str, Singles],
    postings: Postings,
    scorer: LogitScorer,
    config: RetrievalConfig,
) -> dict[str, Floats]:
    """NDCG@10 after ranking of each retriever's first; each pair is scored once, whoever retrieved it."""
    known: dict[tuple[str, int], float] = {}

    def rerank(query: str, rows: Sequence[int]) -> Floats:
        new = [row for row in rows if (query, row) not in known]
        asked = [(query, [postings.summarized[row] for row in new])] if new else []
        for told in scorer.differences(asked):
            known.update({(query, row): float(score) for row, score in zip(new, told, strict=True)})
        return np.array([known[query, row] for row in rows])

    few = len(found.queries)
    return {name: reranked_ndcg(one[:few], found, config.depth, rerank) for name, one in scores.items()}


def _first_queries(found: RetrievalSet, count: int) -> RetrievalSet:
    return replace(found, queries=found.queries[:count], grades_QN=found.grades_QN[:count])


def _columns(
    group: Sequence[tuple[RetrievalSet, Singles, Singles]],
) -> tuple[list[RetrievalSet], list[Singles], list[Singles]]:
    sets, scores, matched = zip(*group, strict=True)
    return list(sets), list(scores), list(matched)
