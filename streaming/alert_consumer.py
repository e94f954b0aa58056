"""The alert consumer process: score requests → alerts, each pair once an opening (docs/semantics.md#alerts)."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from models.client.remote import open_ranker
from pipeline.alert import AlertSettings, AlertStep
from pipeline.scoring.cached import CachedScorer
from schemas.errors import ConfigError
from schemas.records import Alert, ScoreRequest
from storage.features import FeatureStore
from storage.ledger import TTL_S, AlertLedger
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.alerting.kafka_log import RequestGroup
from streaming.alerting.loop import LoopSettings, RequestLoop
from streaming.alerting.metrics import ConsumerMetrics
from streaming.kafka import clients, topics
from streaming.kafka.admin import wait_for_topics
from streaming.kafka.framing import open_codec
from streaming.process import lifecycle, options
from streaming.process.fault_probe import crash_at
from streaming.process.metrics import MetricsServer
from streaming.process.options import Option
from streaming.searches.feed import SearchLog
from streaming.searches.unsubscribed import Unsubscribed

log = logging.getLogger(__name__)

#: A transaction takes milliseconds; one that a killed instance left open hides later alerts for at most this long.
TRANSACTION_TIMEOUT_MS = 20_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings(lifecycle.MemberSettings):
    """Everything that a consumer instance is told."""

    group: str = topics.ALERT_GROUP
    ranker_url: str
    tokenizer: Path | None = None
    cache_url: str = "memory:"
    ledger_ttl_days: float = TTL_S / DAY_S
    alerts: AlertSettings = field(default_factory=AlertSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        longest_days = max(topic.retention_ms for topic in topics.TABLE) / topics.DAY_MS
        if not self.ledger_ttl_days > longest_days:
            raise ConfigError(
                f"ledger_ttl_days must be above {longest_days:g}, the longest that a topic keeps what may come again, "
                f"not {self.ledger_ttl_days:g}: a pair would alert twice"
            )


OPTIONS: dict[type[Any], tuple[Option, ...]] = {
    ConsumerSettings: (
        Option(
            "ranker_url",
            "model server, http://host:port; instant: scores by shared words, without a model",
            "--ranker",
            "URL",
        ),
        Option("tokenizer", "the checkpoint served there, for its tokenizer; needed for http", metavar="DIR"),
        Option("cache_url", "score cache, as lmdb:///path?sync=os", "--cache", "URL"),
        Option("group", "consumer group on score.requests"),
        Option(
            "ledger_ttl_days",
            "how long a pair cannot alert again in one opening; longer than any topic keeps messages",
        ),
    ),
    LoopSettings: (Option("defer_s", "how long a request waits for features that are not in the store yet"),),
}


def run(
    settings: ConsumerSettings, stopped: Callable[[], bool], probe: Callable[[str], None] = lambda _: None
) -> None:
    """Consume until `stopped()`. Every turn ends in a commit, so nothing is flushed. Raises what a restart may cure."""
    needed = (topics.SCORE_REQUESTS, topics.ALERTS, topics.SEARCHES, topics.DLQ)
    if not wait_for_topics(settings.kafka, tuple(topic.name for topic in needed), stopped):
        return
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    with ExitStack() as stack:
        written = {Alert: topics.ALERTS.name, ScoreRequest: topics.SCORE_REQUESTS.name}
        codec = stack.enter_context(closing(open_codec(settings.registry, written)))
        stack.enter_context(MetricsServer(registry, settings.metrics_port, settings.metrics_host))
        searches = stack.enter_context(closing(clients.reader(settings.kafka)))
        requests = stack.enter_context(closing(_group(settings, metrics, probe)))
        loop = RequestLoop(
            requests=requests,
            step=_step(settings, metrics, stack),
            metrics=metrics,
            unsubscribed=Unsubscribed(SearchLog(searches), stopped),
            settings=settings.loop,
            codec=codec,
            probe=probe,
        )
        log.info("consuming %s as %s", topics.SCORE_REQUESTS.name, settings.instance_id)
        loop.run(stopped)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one instance until SIGTERM or SIGINT; 2 for a setting that cannot work, 1 for what a restart may cure."""
    given = parser().parse_args(argv)
    return lifecycle.work_until_stopped(
        lambda stopped: run(settings_of(given, os.environ), stopped, crash_at(given.crash_at))
    )


def settings_of(given: argparse.Namespace, environ: Mapping[str, str]) -> ConsumerSettings:
    """What the command line and the environment ask for. ConfigError names what cannot work."""
    return ConsumerSettings(
        **options.connections(given, environ),
        **options.taken(ConsumerSettings, given) | options.stores(given, environ),
        loop=LoopSettings(**options.taken(LoopSettings, given)),
    )


def _group(
    settings: ConsumerSettings, metrics: ConsumerMetrics, probe: Callable[[str], None]
) -> RequestGroup:
    # first the producer: it ends what a killed predecessor left open, which would hide committed offsets
    producer = _transactional(settings)
    consumer = clients.group_consumer(
        settings.kafka,
        topics.SCORE_REQUESTS.name,
        group=settings.group,
        instance_id=settings.instance_id,
        session_timeout_s=settings.session_timeout_s,
        max_poll_records=settings.max_poll_records,
    )
    return RequestGroup(consumer, producer, metrics.lag, probe)


def _transactional(settings: ConsumerSettings) -> KafkaProducer:
    name = f"{settings.group}-{settings.instance_id}"
    producer = clients.producer(
        settings.kafka, transactional_id=name, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS
    )
    producer.init_transactions()
    return producer


def _step(settings: ConsumerSettings, metrics: ConsumerMetrics, stack: ExitStack) -> AlertStep:
    store = stack.enter_context(closing(open_store(settings.store_url)))
    cache = ScoreCache(stack.enter_context(closing(open_store(settings.cache_url))))
    for result in ("hits", "misses", "failures"):
        metrics.cache.labels(result).set_function(partial(getattr, cache.stats, result))
    scorer = CachedScorer(open_ranker(settings.ranker_url, settings.tokenizer), cache)
    ledger = AlertLedger(store, ttl_s=settings.ledger_ttl_days * DAY_S)
    return AlertStep(FeatureStore(store), scorer, ledger, settings.alerts)


def parser() -> argparse.ArgumentParser:
    """The command line, from `OPTIONS` and what every group member has."""
    made = lifecycle.parser(
        "streaming.alert_consumer",
        "Scores requests through the cache and sends each passing pair's alert once an opening, in one Kafka transaction "
        "with the requests' offsets. Run as many instances as score.requests has partitions at most.",
    )
    for settings, rows in OPTIONS.items():
        options.add(made, settings, rows)
    return made


if __name__ == "__main__":
    sys.exit(main())
