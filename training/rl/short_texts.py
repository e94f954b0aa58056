"""Judged queries whose postings have short texts in the place of their own, by what one ranker makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from typing_extensions import override

from models.divergence import binary_kl
from models.prompts import Item, Prompter
from training.components.arrays import Floats
from training.evaluation.compression.measured import RAW, Lengths, Measured, lengths_of
from training.evaluation.metrics import METRICS
from training.evaluation.ranker_system import RankerSystem
from training.evaluation.scorers import LogitScorer, open_scorer
from training.evaluation.settings import Begin, EvaluationRequest, MetricConfig, RankerPlace, Tell
from training.evaluation.systems import System, SystemResult, system_result
from training.judging.judged_file import check_known, read_items, read_judged_queries
from training.judging.postings import PostingRow
from training.judging.records import JudgedQuery
from training.rl.baselines.words import Count, text_of
from training.rl.run import tokenizer_of


class SummarySystem(System):
    """The ranker on the short texts of one shortener."""

    def __init__(self, ranker: RankerSystem, name: str, texts: Mapping[str, str]) -> None:
        self._ranker, self._name, self._texts = ranker, name, texts

    @property
    @override
    def name(self) -> str:
        """The shortener's."""
        return self._name

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """The ranker's."""
        return self._ranker.settings

    @override
    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """Score the items with their texts replaced."""
        short = {key: replace(items[key], text=text) for key, text in self._texts.items()}
        return self._ranker.score_many(queries, short, tell)


class ShortTexts:
    """The judged queries of a set by one ranker, whose scores on raw texts are computed once."""

    def __init__(
        self,
        queries: Sequence[JudgedQuery],
        items: Mapping[str, Item],
        place: RankerPlace,
        metrics: MetricConfig,
        begin: Begin,
        *,
        scorer: LogitScorer | None = None,
        raw: Sequence[Floats] | None = None,
    ) -> None:
        """`scorer`, `raw`: the ranker of `place` and its scores on raw texts, where the caller has them already."""
        self._queries, self._items, self._metrics, self._begin = queries, items, metrics, begin
        self._ranker = RankerSystem(scorer=scorer or open_scorer(place))
        self.count: Count = Prompter.from_dir(tokenizer_of(place)).count_many
        self.rows = _judged_rows(queries, items)
        known = _KnownScores(self._ranker.settings, raw) if raw else self._ranker
        self.raw = replace(self._result(known), name=RAW)
        self._raw_tokens_N = np.array(self.count([text_of(row) for row in self.rows]), float)

    def result(self, name: str, texts: Sequence[str]) -> SystemResult:
        """The figures where each posting of `rows` has its text of `texts`."""
        by_id = {row.posting_id: text for row, text in zip(self.rows, texts, strict=True)}
        return self._result(SummarySystem(self._ranker, name, by_id))

    def lengths(self, texts: Sequence[str]) -> Lengths:
        """The lengths of such texts beside the raw ones."""
        return lengths_of(np.array(self.count(texts), float), self._raw_tokens_N)

    def measured(self, ranker: str, result: SystemResult, share: float, lengths: Lengths) -> Measured:
        """Figures by query of a result, under the ranker's name `ranker`."""
        return Measured(
            ranker=ranker,
            name=result.name,
            share=share,
            ndcg_Q=result.figures[:, METRICS.index("ndcg")],
            kl_Q=_kl_by_query(result.scores or [], self.raw.scores or []),
            lengths=lengths,
        )

    def _result(self, system: System) -> SystemResult:
        tell = self._begin(system.name, sum(len(query.posting_ids) for query in self._queries))
        return system_result(system, self._queries, self._items, self._metrics, tell)


def read_judged(request: EvaluationRequest) -> tuple[list[JudgedQuery], dict[str, Item]]:
    """The judged queries and all postings; ConfigError names the file or the row that is wrong."""
    queries, items = read_judged_queries(request.judged, request.split), read_items(request.postings)
    check_known(queries, items)
    return queries, items


class _KnownScores(System):
    """Scores that were computed before."""

    name = RAW

    def __init__(self, settings: dict[str, Any], scores: Sequence[Floats]) -> None:
        self._settings, self._scores = settings, list(scores)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """The ranker's."""
        return self._settings

    @override
    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """Give them as they are."""
        return self._scores


def _judged_rows(queries: Sequence[JudgedQuery], items: Mapping[str, Item]) -> list[PostingRow]:
    wanted = dict.fromkeys(posting for query in queries for posting in query.posting_ids)
    return [PostingRow(posting_id=key, item=items[key], posted_at=None, source=None) for key in wanted]


def _kl_by_query(scores: Sequence[Floats], raw: Sequence[Floats]) -> Floats:
    return np.array([binary_kl(own, full).mean() for own, full in zip(scores, raw, strict=True)])
