"""The search service process: open postings in memory, `POST /v1/search` over them (docs/search.md)."""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from models.client.embedder import open_embedder
from models.client.http import ClientConfig
from models.client.remote import open_ranker
from models.embedder import Embedder
from pipeline.control.admission import Admission
from pipeline.control.admitted_ranker import AdmittedRanker
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings
from pipeline.control.gate import Gate
from pipeline.scoring.cached import CachedScorer, CacheSettings
from pipeline.search.auction import Auction
from pipeline.search.campaigns import read_campaigns
from pipeline.search.index import SearchIndex
from pipeline.search.pacing import Pacer
from pipeline.search.placing import ByRelevance, Placing
from pipeline.search.searcher import Searcher, SearchSettings
from pipeline.understanding.rules import RuleUnderstanding
from schemas.settings import Option, Options
from schemas.traffic import TrafficClass
from storage.base import KeyValue
from storage.features import FeatureStore
from storage.opening import open_store
from storage.spend import SpendLedger
from streaming.kafka import clients, topics
from streaming.process.member import ProcessSettings, Program, Running, run_member
from streaming.process.score_cache import MEMORY, CacheUrl, shared_cache
from streaming.searching.app import SearchRoute, create_app
from streaming.searching.feed import KafkaFeatureFeed
from streaming.searching.loop import IndexLoop
from streaming.searching.metrics import SearchMetrics
from streaming.searching.serving import Served

log = logging.getLogger(__name__)
LOADING = "reading the store"
FIRST_WORDS = "part-time work near Leeds, no weekends"
#: Candidates in flight at the ranker: at the start, at least, at most.
IN_FLIGHT = (1_000.0, 20.0, 4_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings(ProcessSettings):
    """Settings of a search service."""

    host: Annotated[str, Option("Address to listen on; in a pod 0.0.0.0.")] = "127.0.0.1"
    port: Annotated[int, Option("Port of POST /v1/search.", at_least=0, at_most=65_535)] = 29041
    ranker_url: Annotated[
        str, Option("As the alert consumer's: a model server, or instant:.", "--ranker", metavar="URL")
    ]
    tokenizer: Annotated[
        Path | None, Option("The checkpoint served there, for its tokenizer; needed for http.", metavar="DIR")
    ] = None
    calibration: Annotated[
        Path | None, Option("As the alert consumer's: for a server that knows no calibration.", metavar="DIR")
    ] = None
    scored_as: Annotated[
        str | None,
        Option("As the alert consumer's: for a server that does not tell how it scores.", metavar="WORD"),
    ] = None
    embedder_url: Annotated[
        str,
        Option(
            "Embedder of the queries, the one of the feature job; empty: searches by words alone.",
            "--embedder",
            metavar="URL",
        ),
    ] = ""
    cache_url: CacheUrl = MEMORY
    at_once: Annotated[
        int, Option("Searches that are answered at once; others are told to come again.", at_least=1)
    ] = 16
    campaigns: Annotated[
        Path | None,
        Option(
            "Campaigns that pay for places (docs/search.md), a TOML file; without it nothing is promoted."
        ),
    ] = None
    promoted: Annotated[int, Option("Most promoted postings of a search.", at_least=0, at_most=10)] = 2
    promotion_loss: Annotated[
        float,
        Option("Most DCG@10 that promotions may cost a search, as a share of what it has without them."),
    ] = 0.02
    search: Annotated[SearchSettings, Options("Searches")] = field(default_factory=SearchSettings)
    cache: Annotated[CacheSettings, Options("Scores")] = field(default_factory=CacheSettings)


def serve(service: Running[ServiceSettings]) -> None:
    """Answer searches until the service is stopped, while the index follows the topic of feature records."""
    settings, metrics = service.settings, SearchMetrics(service.metrics)
    store = service.closed_at_end(open_store(settings.store_url))
    consumer = service.closed_at_end(clients.reader(settings.kafka))
    index, features = SearchIndex(), FeatureStore(store)
    loop = IndexLoop(
        index=index,
        feed=KafkaFeatureFeed(consumer, service.topics.id_of(topics.FEATURES.name)),
        scan=features.scan,
        codec=service.codec,
        metrics=metrics,
        turned=lambda: service.health.turned(service.topics.trouble() if loop.loaded else LOADING),
    )
    searcher = Searcher(
        index,
        features,
        _scorer(service, metrics),
        settings.search,
        embedder=_embedder(settings),
        placing=_placing(settings, store),
    )
    # the tables of places and words take seconds to load, which no search shall wait for
    RuleUnderstanding().understand(FIRST_WORDS)
    trouble = lambda: "" if loop.loaded else f"{LOADING}: {len(index)} postings so far"  # noqa: E731
    route = SearchRoute(searcher, metrics, trouble, settings.at_once)
    served = service.closed_at_end(Served(create_app(route, metrics, trouble), settings.host, settings.port))
    log.info("searches at http://%s:%d/v1/search", settings.host, served.port)
    loop.run(service.stopped)


def _scorer(service: Running[ServiceSettings], metrics: SearchMetrics) -> CachedScorer:
    """The ranker behind admission and score cache; its calls are of the class that goes first."""
    settings = service.settings
    ranker = open_ranker(
        settings.ranker_url,
        settings.tokenizer,
        ClientConfig(traffic=TrafficClass.ONLINE, retry_busy=False),
        calibration=settings.calibration,
        scored_as=settings.scored_as,
    )
    start, least, most = IN_FLIGHT
    limit = AimdLimit(AimdSettings(start=start, least=least, most=most, bound_s=settings.search.p95_s))
    admitted = AdmittedRanker(ranker, Gate(Admission(limit)), TrafficClass.ONLINE, waits=True)
    scorer = CachedScorer(
        admitted, shared_cache(service, settings.cache_url, settings.cache.lifetimes), settings.cache
    )
    metrics.show_cache(scorer.counts)
    return scorer


def _embedder(settings: ServiceSettings) -> Embedder | None:
    return None if not settings.embedder_url else open_embedder(settings.embedder_url)


def _placing(settings: ServiceSettings, store: KeyValue) -> Placing:
    if settings.campaigns is None:
        return ByRelevance()
    campaigns, pacer = read_campaigns(settings.campaigns), Pacer(SpendLedger(store), time.time)
    log.info("%d campaigns pay for places", len(campaigns))
    return Auction(campaigns, pacer, promoted=settings.promoted, loss=settings.promotion_loss)


SEARCH_SERVICE = Program(
    module="streaming.search_service",
    description="Holds the open postings in memory and answers searches by HTTP. Run as many instances as the searches "
    "need; each holds every posting.",
    settings=ServiceSettings,
    topics=(topics.FEATURES,),
    writes={},
    work=serve,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one search service until SIGTERM or SIGINT and return its exit status."""
    return run_member(SEARCH_SERVICE, argv)


if __name__ == "__main__":
    sys.exit(main())
