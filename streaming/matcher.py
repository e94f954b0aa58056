"""The matcher process: new features × saved searches → score requests (semantics page, 'Matching')."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from pipeline.match import LexicalMatcher
from pipeline.windows import Windows, WindowSettings
from schemas.records import ScoreRequest
from storage.base import open_store
from storage.features import FeatureStore
from streaming import clients, process, topics
from streaming.crash import crash_at
from streaming.framing import RegistrySettings, open_codec
from streaming.kafka_settings import KafkaSettings
from streaming.late_brokers import wait_for_topics
from streaming.match_loop import LoopSettings, MatchLoop
from streaming.matcher_logs import FeatureGroup
from streaming.metrics import MatcherMetrics, MetricsServer
from streaming.search_log import SearchLog


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherSettings:
    """Everything that a matcher instance is told."""

    kafka: KafkaSettings
    store_url: str
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    group: str = topics.MATCHER_GROUP
    instance_id: str = "1"
    metrics_port: int = 0
    session_timeout_s: float = 45.0
    max_poll_records: int = 500
    windows: WindowSettings = field(default_factory=WindowSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)


def run(
    settings: MatcherSettings, stopped: Callable[[], bool], probe: Callable[[str], None] = lambda _: None
) -> None:
    """Match until `stopped()`; then windows are flushed and offsets committed. Raises what a restart may cure."""
    needed = (topics.SEARCHES, topics.FEATURES, topics.SCORE_REQUESTS, topics.DLQ)
    if not wait_for_topics(settings.kafka, tuple(topic.name for topic in needed), stopped):
        return
    registry = CollectorRegistry()
    metrics = MatcherMetrics(registry)
    with ExitStack() as stack:
        written = {ScoreRequest: topics.SCORE_REQUESTS.name}
        codec = stack.enter_context(closing(open_codec(settings.registry, written)))
        stack.enter_context(MetricsServer(registry, settings.metrics_port))
        store = stack.enter_context(closing(open_store(settings.store_url)))
        searches = stack.enter_context(closing(clients.reader(settings.kafka)))
        features = stack.enter_context(closing(_group(settings, metrics, probe)))
        loop = MatchLoop(
            feed=SearchLog(searches),
            features=features,
            matcher=LexicalMatcher(),
            windows=Windows(settings.windows),
            stored=FeatureStore(store).scan,
            metrics=metrics,
            settings=settings.loop,
            codec=codec,
        )
        loop.run(stopped)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one instance until SIGTERM or SIGINT; 2 for a setting that cannot work, 1 for what a restart may cure."""
    arguments = _parser().parse_args(argv)

    def work(stopped: Callable[[], bool]) -> None:
        settings = MatcherSettings(
            kafka=KafkaSettings.from_env(os.environ, bootstrap=arguments.bootstrap),
            store_url=arguments.store,
            registry=RegistrySettings.from_env(os.environ, url=arguments.schema_registry),
            group=arguments.group,
            instance_id=arguments.instance_id,
            session_timeout_s=arguments.session_timeout_s,
            metrics_port=arguments.metrics_port,
            windows=WindowSettings(window_s=arguments.window_s, max_items=arguments.max_items),
            loop=LoopSettings(commit_s=arguments.commit_s),
        )
        run(settings, stopped, crash_at(arguments.crash_at))

    return process.work_until_stopped(work)


def _group(settings: MatcherSettings, metrics: MatcherMetrics, probe: Callable[[str], None]) -> FeatureGroup:
    consumer = clients.group_consumer(
        settings.kafka,
        topics.FEATURES.name,
        group=settings.group,
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        max_poll_records=settings.max_poll_records,
    )
    return FeatureGroup(consumer, clients.producer(settings.kafka), metrics, probe)


def _parser() -> argparse.ArgumentParser:
    window = WindowSettings()
    made = process.parser(
        "streaming.matcher",
        "Reads all saved searches, then turns features into score requests. Run as many instances as the features "
        "topic has partitions at most; each holds every search and its share of the postings.",
    )
    made.add_argument("--group", default=topics.MATCHER_GROUP, help="consumer group on postings.features")
    made.add_argument(
        "--window-s",
        type=float,
        default=window.window_s,
        help="how long one search's candidates are collected",
    )
    made.add_argument(
        "--max-items", type=int, default=window.max_items, help="candidates of one score request at most"
    )
    made.add_argument(
        "--commit-s",
        type=float,
        default=LoopSettings().commit_s,
        help="offsets are committed, and windows flushed for it, this often; a crash reads that much again",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
