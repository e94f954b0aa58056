"""Score requests whose scores are all cached, over stored postings: what the alert consumer is measured with."""

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from benchmarks.common import feature_worker
from benchmarks.common.updates import ROLES, START_US, WORDS, additions
from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from pipeline.featurize import SourceRow
from pipeline.scoring.cached import CachedScorer, item_of
from schemas.codec import decode, encode
from schemas.records import Candidate, FeatureRecord, SavedSearch, ScoreRequest
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.kafka.topics import UPDATES

BATCH = 1_000
PASSING, FAILING = 0.9, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Pairs that never met before, in requests of `items`; each posting is a candidate of `searches_a_posting`.

    Those of one posting come close together, as a matcher's windows send them.
    """

    candidates: int
    searches_a_posting: int
    items: int = 20
    alerting: float = 0.05
    seed: int = 1

    @property
    def postings(self) -> int:
        """How many postings there are; some find no full request."""
        return self.candidates // self.searches_a_posting


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Requests in order, the alerts that they must give, and the stores that know everything about them."""

    requests: list[ScoreRequest]
    alerts: int
    store_url: str
    cache_url: str

    @property
    def candidates(self) -> int:
        """Of all requests."""
        return sum(len(request.candidates) for request in self.requests)


def prepare(load: Load, folder: Path) -> Prepared:
    """Fill a feature store and a score cache in `folder` (as durable as the local stack's) and make the requests.

    Cached scores live for twelve minutes at least.
    """
    store_url, cache_url = f"lmdb://{folder}/store", f"lmdb://{folder}/cache?sync=os"
    features = list(_store(load, store_url))
    requests = list(_requests(load, features))
    scripted = _Scripted(random.Random(load.seed), load.alerting)
    items = {feature.posting_id: item_of(feature) for feature in features}
    with closing(open_store(cache_url)) as kv:
        scorer = CachedScorer(scripted, ScoreCache(kv))
        for request in requests:
            asked = [items[candidate.posting_id] for candidate in request.candidates]
            scorer.score_many(request.search.query, asked, 60.0)
    return Prepared(requests=requests, alerts=scripted.passing, store_url=store_url, cache_url=cache_url)


class _Scripted(Ranker):
    """A `Ranker` under the instant one's name, by whose scores a set share of the pairs alerts."""

    model = LexicalRanker.model

    def __init__(self, rng: random.Random, alerting: float) -> None:
        self._rng = rng
        self._alerting = alerting
        self.passing = 0

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        del query, deadline_s
        scores = [PASSING if self._rng.random() < self._alerting else FAILING for _ in items]
        self.passing += scores.count(PASSING)
        return scores


def _store(load: Load, url: str) -> Iterator[FeatureRecord]:
    """Featurize new postings; yields their records."""
    updates = list(additions(load.postings, load.seed))
    with closing(feature_worker.worker(url)) as work:
        for start in range(0, len(updates), BATCH):
            batch = updates[start : start + BATCH]
            rows = [SourceRow(encode(update), UPDATES.name, 0, 0, 0) for update in batch]
            outcomes, _ = work.featurize([None] * len(rows), rows)
            for outcome in outcomes:
                yield decode(FeatureRecord, outcome.value)


def _requests(load: Load, features: Sequence[FeatureRecord]) -> Iterator[ScoreRequest]:
    """Whenever a role has enough postings, each of its searches gets a request with them."""
    searches = {role: _searches(load, role) for role in ROLES}
    waiting: dict[str, list[Candidate]] = {role: [] for role in ROLES}
    for feature in features:
        role = feature.title.rpartition(" ")[2]
        waiting[role].append(
            Candidate(posting_id=feature.posting_id, version=feature.version, updated_ms=START_US // 1000)
        )
        if len(waiting[role]) == load.items:
            for search in searches[role]:
                yield ScoreRequest(
                    search=search, candidates=tuple(waiting[role]), created_ms=START_US // 1000
                )
            waiting[role].clear()


def _searches(load: Load, role: str) -> list[SavedSearch]:
    return [
        SavedSearch(search_id=f"{role}-{n}", query=f"{role} {WORDS[n]}", threshold=0.5)
        for n in range(load.searches_a_posting)
    ]
