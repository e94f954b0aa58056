"""Measure whether summaries keep what the ranker needs: whether their scores order postings as those of raw texts do.

Kendall's tau-b per query, 1 for the same order and -1 for the reverse one, averaged over queries. Used before a new
summarizer generation is promoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from math import isnan, nan, sqrt
from statistics import fmean

from models.ranker import Ranker
from pipeline.scoring.items import item_of
from schemas.errors import ConfigError
from schemas.merge import is_current
from schemas.records import FeatureRecord
from storage.features import FeatureStore, RawText

#: Postings compared at most; the number of pairs grows with its square.
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Kendall's tau against the order of raw texts: `tau` of the new summaries, `tau_before` of those they replace.

    `share`: the new summaries' tokens over those of their texts.
    """

    postings: int
    queries: int
    tau: float
    tau_before: float
    share: float

    def passes(self, *, margin: float, most_share: float) -> bool:
        """Whether the candidate is at most `margin` worse than what it replaces, and short enough."""
        return self.tau >= self.tau_before - margin and self.share <= most_share


def agreement(
    candidate: FeatureStore, before: FeatureStore, ranker: Ranker, queries: Sequence[str], deadline_s: float
) -> Agreement:
    """Compare the summaries of two stores, over the postings of which both hold a summary of the same text.

    Raises ConfigError for fewer than two such postings or no query; ModelUnavailable, StoreUnavailable.
    """
    records = list(islice((record for record in candidate.scan() if _summarized(record)), MOST))
    held = before.get_many([record.posting_id for record in records])
    texts = candidate.texts([record.posting_id for record in records])
    rows = [
        (record, old, text)
        for record, old, text in zip(records, held, texts, strict=True)
        if old is not None
        and _summarized(old)
        and old.summary_hash == record.summary_hash
        and text is not None
    ]
    if len(rows) < 2 or not queries:
        raise ConfigError(
            f"nothing to judge: {len(rows)} postings with two summaries of the same text, {len(queries)} queries"
        )
    taus, taus_before = zip(*(_taus(ranker, query, rows, deadline_s) for query in queries), strict=True)
    return Agreement(
        postings=len(rows),
        queries=len(queries),
        tau=fmean(taus),
        tau_before=fmean(taus_before),
        share=sum(r.summary_tokens for r, _, _ in rows) / max(1, sum(r.input_tokens for r, _, _ in rows)),
    )


def kendall(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall's tau-b of two scorings of the same things, in [-1, 1]; nan where one of them is constant: no order.

    (concordant - discordant pairs) / sqrt(pairs untied on the left x pairs untied on the right). Unlike tau-a it
    reaches 1 and -1 for scorings with ties, so that a ranker that gives several postings one score agrees with
    itself. Raises ValueError for fewer than two things.
    """
    if len(left) < 2:
        raise ValueError("an order needs two things")
    pairs = list(combinations(zip(left, right, strict=True), 2))
    signs = [(_sign(a - c), _sign(b - d)) for (a, b), (c, d) in pairs]
    untied = sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)
    return sum(a * b for a, b in signs) / sqrt(untied) if untied else nan


def _taus(
    ranker: Ranker,
    query: str,
    rows: Sequence[tuple[FeatureRecord, FeatureRecord, RawText]],
    deadline_s: float,
) -> tuple[float, float]:
    raw = [replace(item_of(record), text=text.description) for record, _, text in rows]
    new, old = [item_of(record) for record, _, _ in rows], [item_of(record) for _, record, _ in rows]
    wanted, found, was = (ranker.score_many(query, items, deadline_s) for items in (raw, new, old))
    return _kept(wanted, found), _kept(wanted, was)


def _kept(wanted: Sequence[float], found: Sequence[float]) -> float:
    """Tau-b of summaries' scores to raw texts'; 0 where one side is constant: nothing of an order is kept."""
    tau = kendall(wanted, found)
    return 0.0 if isnan(tau) else tau


def _summarized(record: FeatureRecord) -> bool:
    return bool(record.summary) and is_current(record)


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
