"""The alert consumer process: score requests → alerts, each pair once an opening (semantics page, 'Alerts')."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from models.remote import open_ranker
from pipeline.alert import AlertSettings, AlertStep
from pipeline.score import CachedScorer
from schemas.errors import ConfigError
from schemas.records import Alert, ScoreRequest
from storage.base import open_store
from storage.features import FeatureStore
from storage.ledger import TTL_S, AlertLedger
from storage.scores import ScoreCache
from streaming import clients, process, topics
from streaming.alert_logs import RequestGroup, Unsubscribed
from streaming.crash import crash_at
from streaming.framing import RegistrySettings, open_codec
from streaming.kafka_settings import KafkaSettings
from streaming.late_brokers import wait_for_topics
from streaming.metrics import ConsumerMetrics, MetricsServer
from streaming.request_loop import LoopSettings, RequestLoop
from streaming.search_log import SearchLog

log = logging.getLogger(__name__)

#: A transaction takes milliseconds; one that a killed instance left open hides later alerts for at most this long.
TRANSACTION_TIMEOUT_MS = 20_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Everything that a consumer instance is told."""

    kafka: KafkaSettings
    store_url: str
    ranker_url: str
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    tokenizer: Path | None = None
    cache_url: str = "memory:"
    group: str = topics.ALERT_GROUP
    instance_id: str = "1"
    session_timeout_s: float = 45.0
    metrics_port: int = 0
    max_poll_records: int = 500
    ledger_ttl_s: float = TTL_S
    alerts: AlertSettings = field(default_factory=AlertSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        longest_s = max(topic.retention_ms for topic in topics.TABLE) / 1000
        if not self.ledger_ttl_s > longest_s:
            raise ConfigError(
                f"ledger_ttl_s must be above {longest_s:.0f}, the longest that a topic keeps what may come again, "
                f"not {self.ledger_ttl_s:g}: a pair would alert twice"
            )


def run(
    settings: ConsumerSettings, stopped: Callable[[], bool], probe: Callable[[str], None] = lambda _: None
) -> None:
    """Consume until `stopped()`; every turn ends in a commit, so there is nothing to flush. Raises what a restart may cure."""
    needed = (topics.SCORE_REQUESTS, topics.ALERTS, topics.SEARCHES, topics.DLQ)
    if not wait_for_topics(settings.kafka, tuple(topic.name for topic in needed), stopped):
        return
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    with ExitStack() as stack:
        written = {Alert: topics.ALERTS.name, ScoreRequest: topics.SCORE_REQUESTS.name}
        codec = stack.enter_context(closing(open_codec(settings.registry, written)))
        stack.enter_context(MetricsServer(registry, settings.metrics_port))
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
    arguments = _parser().parse_args(argv)
    loop = LoopSettings(defer_s=arguments.defer_s)

    def work(stopped: Callable[[], bool]) -> None:
        settings = ConsumerSettings(
            kafka=KafkaSettings.from_env(os.environ, bootstrap=arguments.bootstrap),
            store_url=arguments.store,
            ranker_url=arguments.ranker,
            registry=RegistrySettings.from_env(os.environ, url=arguments.schema_registry),
            tokenizer=arguments.tokenizer,
            cache_url=arguments.cache,
            group=arguments.group,
            instance_id=arguments.instance_id,
            session_timeout_s=arguments.session_timeout_s,
            metrics_port=arguments.metrics_port,
            ledger_ttl_s=arguments.ledger_ttl_days * DAY_S,
            loop=loop,
        )
        run(settings, stopped, crash_at(arguments.crash_at))

    return process.work_until_stopped(work)


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
    return RequestGroup(consumer, producer, metrics, probe)


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
    ledger = AlertLedger(store, ttl_s=settings.ledger_ttl_s)
    return AlertStep(FeatureStore(store), scorer, ledger, settings.alerts)


def _parser() -> argparse.ArgumentParser:
    made = process.parser(
        "streaming.alert_consumer",
        "Scores requests through the cache and sends each passing pair's alert once an opening, in one Kafka transaction "
        "with the requests' offsets. Run as many instances as score.requests has partitions at most.",
    )
    made.add_argument(
        "--ranker",
        required=True,
        help="model server, http://host:port; instant: scores by shared words, without a model",
    )
    made.add_argument(
        "--tokenizer", type=Path, help="tokenizer directory of the checkpoint served there; needed for http"
    )
    made.add_argument("--cache", default="memory:", help="score cache, as lmdb:///path?sync=os")
    made.add_argument("--group", default=topics.ALERT_GROUP, help="consumer group on score.requests")
    made.add_argument(
        "--defer-s",
        type=float,
        default=LoopSettings().defer_s,
        help="how long a request waits for features that are not in the store yet",
    )
    made.add_argument(
        "--ledger-ttl-days",
        type=float,
        default=TTL_S / DAY_S,
        help="how long the ledger keeps a pair from alerting again in one opening; longer than any topic keeps messages",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
