"""The matcher process: new features × saved searches → score requests (docs/semantics.md#matching)."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated

from models.client.embedder import open_embedder
from pipeline.match import load_places
from pipeline.percolation.percolator import Percolator
from pipeline.percolation.query_vectors import QueryVectors, QueryVectorSettings
from pipeline.windows import Windows, WindowSettings
from schemas.collecting import SeldomCollector
from schemas.records import ScoreRequest
from schemas.settings import Option, Options
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka import clients, topics
from streaming.matching.kafka_log import FeatureGroup
from streaming.matching.loop import MatchLoop, MatchLoopSettings
from streaming.matching.metrics import MatcherMetrics
from streaming.process.member import MemberSettings, Program, Running, run_member
from streaming.searches.feed import KafkaSearchFeed
from streaming.searches.share import read_share


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherSettings(MemberSettings):
    """Settings of a matcher instance."""

    group: Annotated[str, Option("Consumer group on postings.features.")] = topics.MATCHER_GROUP
    windows: Annotated[WindowSettings, Options()] = field(default_factory=WindowSettings)
    loop: Annotated[MatchLoopSettings, Options()] = field(default_factory=MatchLoopSettings)
    share: Annotated[
        str,
        Option(
            "Which part of the saved searches this instance holds, such as 2/4. Instances of one part split the "
            "postings, each part reads all of them; parts need less memory each."
        ),
    ] = "1/1"
    embedder: Annotated[
        str,
        Option(
            "Server whose /v1/embeddings makes the searches' vectors, the one that the feature job uses; empty: "
            "searches are matched by their words.",
            metavar="URL",
        ),
    ] = ""
    query_vectors: Annotated[QueryVectorSettings, Options()] = field(default_factory=QueryVectorSettings)


#: What is created anew among these topics makes the matcher match all again.
MATCHED = (topics.SEARCHES.name, topics.FEATURES.name, topics.SCORE_REQUESTS.name)


def match(member: Running[MatcherSettings]) -> None:
    """Match until the member is stopped; then windows are sent and offsets committed."""
    share = read_share(member.settings.share)
    member = replace(member, settings=replace(member.settings, group=share.group(member.settings.group)))
    settings, metrics = member.settings, MatcherMetrics(member.metrics)
    store = member.closed_at_end(open_store(settings.store_url))
    searches = member.closed_at_end(clients.reader(settings.kafka))
    consumer, producer = member.group_consumer(topics.FEATURES), clients.producer(settings.kafka)
    features = member.closed_at_end(
        FeatureGroup(consumer, producer, metrics.lag, member.probe, member.stopped, member.topics.ids)
    )
    load_places()
    loop = MatchLoop(
        feed=KafkaSearchFeed(searches, member.topics.id_of(topics.SEARCHES.name)),
        features=features,
        new_matcher=Percolator,
        windows=Windows(settings.windows),
        stored=FeatureStore(store).scan,
        metrics=metrics,
        settings=settings.loop,
        codec=member.codec,
        turned=SeldomCollector().after(member.turned),
        topic_ids=lambda: {name: i for name, i in member.topics.ids().items() if name in MATCHED},
        query_vectors=_query_vectors(settings),
        share=share,
    )
    loop.run(member.stopped)


def _query_vectors(settings: MatcherSettings) -> QueryVectors | None:
    """What makes the vectors of searches; a call that is under way when the member ends takes a few seconds more."""
    if not settings.embedder:
        return None
    thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
    return QueryVectors(open_embedder(settings.embedder), thread, settings.query_vectors)


MATCHER = Program(
    module="streaming.matcher",
    description="Reads all saved searches, then turns features into score requests. Run as many instances as the "
    "features topic has partitions at most; each holds every search, or those of its --share, and some of the postings.",
    settings=MatcherSettings,
    topics=(topics.SEARCHES, topics.FEATURES, topics.SCORE_REQUESTS, topics.DLQ),
    writes={ScoreRequest: topics.SCORE_REQUESTS},
    work=match,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one matcher until SIGTERM or SIGINT and return its exit status."""
    return run_member(MATCHER, argv)


if __name__ == "__main__":
    sys.exit(main())
