"""Score requests for the alert consumer's benchmark: their postings are stored and their scores cached."""

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
from pipeline.scoring.cached import CachedScorer
from pipeline.scoring.items import item_of
from schemas.codec import decode, encode
from schemas.records import Candidate, FeatureRecord, SavedSearch, ScoreRequest
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.kafka.topics import UPDATES

BATCH = 1_000
PASSING, FAILING = 0.9, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLoad:
    """Pairs of searches and postings, each pair once, in requests of `items` candidates.

    Each posting is a candidate of `searches_a_posting` searches, whose requests stand close together, as a matcher's
    windows send them. `alerting`: share of the pairs that alert.
    """

    candidates: int
    searches_a_posting: int
    items: int = 20
    alerting: float = 0.05
    seed: int = 1

    @property
    def postings(self) -> int:
        """Number of postings; the last few of them fill no whole request."""
        return self.candidates // self.searches_a_posting


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequests:
    """Requests in order, the number of their alerts, and the stores with their postings and scores."""

    requests: list[ScoreRequest]
    alerts: int
    store_url: str
    cache_url: str

    @property
    def candidates(self) -> int:
        """Number of candidates in all requests."""
        return sum(len(request.candidates) for request in self.requests)


def prepare(load: RequestLoad, folder: Path) -> PreparedRequests:
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
    return PreparedRequests(
        requests=requests, alerts=scripted.passing, store_url=store_url, cache_url=cache_url
    )


class _Scripted(Ranker):
    """A `Ranker` with the name of the instant one; a share `alerting` of its scores passes the threshold."""

    model = LexicalRanker.model

    def __init__(self, rng: random.Random, alerting: float) -> None:
        self._rng = rng
        self._alerting = alerting
        self.passing = 0

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Draw each score at random and count the passing ones in `passing`; neither query nor items are read."""
        del query, deadline_s
        scores = [PASSING if self._rng.random() < self._alerting else FAILING for _ in items]
        self.passing += scores.count(PASSING)
        return scores


def _store(load: RequestLoad, url: str) -> Iterator[FeatureRecord]:
    """Featurize new postings into the store; yields their records."""
    updates = list(additions(load.postings, load.seed))
    with closing(feature_worker.worker(url)) as work:
        for start in range(0, len(updates), BATCH):
            batch = updates[start : start + BATCH]
            rows = [SourceRow(encode(update), UPDATES.name, 0, 0, 0) for update in batch]
            outcomes, _ = work.featurize([None] * len(rows), rows)
            for outcome in outcomes:
                yield decode(FeatureRecord, outcome.value)


def _requests(load: RequestLoad, features: Sequence[FeatureRecord]) -> Iterator[ScoreRequest]:
    """Requests for all searches of a role whenever `items` of its postings have been collected."""
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


def _searches(load: RequestLoad, role: str) -> list[SavedSearch]:
    return [
        SavedSearch(search_id=f"{role}-{n}", query=f"{role} {WORDS[n]}", threshold=0.5)
        for n in range(load.searches_a_posting)
    ]
