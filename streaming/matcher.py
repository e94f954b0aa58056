"""The matcher process: new features × saved searches → score requests (docs/semantics.md#matching)."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from pipeline.match import LexicalMatcher
from pipeline.windows import Windows, WindowSettings
from schemas.records import ScoreRequest
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka import clients, topics
from streaming.kafka.admin import wait_for_topics
from streaming.kafka.framing import open_codec
from streaming.matching.kafka_log import FeatureGroup
from streaming.matching.loop import LoopSettings, MatchLoop
from streaming.matching.metrics import MatcherMetrics
from streaming.process import lifecycle, options
from streaming.process.fault_probe import crash_at
from streaming.process.metrics import MetricsServer
from streaming.process.options import Option
from streaming.searches.feed import SearchLog


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherSettings(lifecycle.MemberSettings):
    """Everything that a matcher instance is told."""

    group: str = topics.MATCHER_GROUP
    windows: WindowSettings = field(default_factory=WindowSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)


OPTIONS: dict[type[Any], tuple[Option, ...]] = {
    MatcherSettings: (Option("group", "consumer group on postings.features"),),
    WindowSettings: (
        Option("window_s", "how long one search's candidates are collected"),
        Option("max_items", "candidates of one score request at most"),
    ),
    LoopSettings: (
        Option(
            "commit_s",
            "offsets are committed, and windows flushed for it, this often; a crash reads that much again",
        ),
    ),
}


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
        stack.enter_context(MetricsServer(registry, settings.metrics_port, settings.metrics_host))
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
    given = parser().parse_args(argv)
    return lifecycle.work_until_stopped(
        lambda stopped: run(settings_of(given, os.environ), stopped, crash_at(given.crash_at))
    )


def settings_of(given: argparse.Namespace, environ: Mapping[str, str]) -> MatcherSettings:
    """What the command line and the environment ask for. ConfigError names what cannot work."""
    return MatcherSettings(
        **options.connections(given, environ),
        **options.taken(MatcherSettings, given) | options.stores(given, environ),
        windows=WindowSettings(**options.taken(WindowSettings, given)),
        loop=LoopSettings(**options.taken(LoopSettings, given)),
    )


def _group(settings: MatcherSettings, metrics: MatcherMetrics, probe: Callable[[str], None]) -> FeatureGroup:
    consumer = clients.group_consumer(
        settings.kafka,
        topics.FEATURES.name,
        group=settings.group,
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        max_poll_records=settings.max_poll_records,
    )
    return FeatureGroup(consumer, clients.producer(settings.kafka), metrics.lag, probe)


def parser() -> argparse.ArgumentParser:
    """The command line, from `OPTIONS` and what every group member has."""
    made = lifecycle.parser(
        "streaming.matcher",
        "Reads all saved searches, then turns features into score requests. Run as many instances as the features "
        "topic has partitions at most; each holds every search and its share of the postings.",
    )
    for settings, rows in OPTIONS.items():
        options.add(made, settings, rows)
    return made


if __name__ == "__main__":
    sys.exit(main())
