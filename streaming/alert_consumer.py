"""The alert consumer process: score requests → alerts, each pair once an opening (docs/semantics.md#alerts)."""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from kafka import KafkaProducer

from models.client.http import ClientConfig
from models.client.remote import open_ranker
from models.ranker import Ranker
from pipeline.alert import AlertSettings, AlertStep
from pipeline.control.admitted_ranker import AdmittedRanker
from pipeline.match import load_places
from pipeline.scoring.cached import CachedScorer, CacheSettings
from schemas.collecting import SeldomCollector
from schemas.errors import ConfigError, ModelUnavailable
from schemas.records import Alert, ScoreRequest
from schemas.settings import Option, Options
from schemas.traffic import TrafficClass
from storage.cuts import CutNotes
from storage.features import FeatureStore
from storage.ledger import TTL_S, AlertLedger
from storage.opening import open_store
from streaming.alerting.arrivals import Arrivals
from streaming.alerting.kafka_log import RequestGroup
from streaming.alerting.loop import RequestLoop, RequestLoopSettings
from streaming.alerting.metrics import ConsumerMetrics
from streaming.alerting.sent_alerts import KafkaSentAlerts
from streaming.alerting.shaping import ShapingSettings
from streaming.kafka import clients, topics
from streaming.kafka.waiting import within
from streaming.process.member import MemberSettings, Program, Running, run_member
from streaming.process.score_cache import MEMORY, CacheUrl, shared_cache
from streaming.searches.feed import KafkaSearchFeed
from streaming.searches.unsubscribed import Unsubscribed

log = logging.getLogger(__name__)

#: A transaction takes milliseconds. One that a killed instance left open hides later alerts for this long at most.
TRANSACTION_TIMEOUT_MS = 20_000
#: kafka-python gives up by itself a little earlier.
OPEN_S = 70.0
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings(MemberSettings):
    """Settings of an alert consumer instance."""

    group: Annotated[str, Option("Consumer group on score.requests.")] = topics.ALERT_GROUP
    ranker_url: Annotated[
        str,
        Option(
            "Model server, http://host:port; instant: scores by shared words, without a model.",
            "--ranker",
            metavar="URL",
        ),
    ]
    tokenizer: Annotated[
        Path | None,
        Option("The checkpoint served there, for its tokenizer; needed for http.", metavar="DIR"),
    ] = None
    calibration: Annotated[
        Path | None,
        Option(
            "Checkpoint whose calibration.json is applied here: for a server that knows none, such as SGLang.",
            metavar="DIR",
        ),
    ] = None
    scored_as: Annotated[
        str | None,
        Option(
            "How the server scores, one word such as multi-item/bfloat16, for a server that does not tell (SGLang). "
            "Cached scores of one word are never taken for another's: give a new one with new flags of the server.",
            metavar="WORD",
        ),
    ] = None
    cache_url: CacheUrl = MEMORY
    ledger_ttl_days: Annotated[
        float,
        Option("How long a pair cannot alert again in one opening; longer than any topic keeps messages."),
    ] = TTL_S / DAY_S
    cache: Annotated[CacheSettings, Options()] = field(default_factory=CacheSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    loop: Annotated[RequestLoopSettings, Options()] = field(default_factory=RequestLoopSettings)
    shaping: Annotated[ShapingSettings, Options("Overload")] = field(default_factory=ShapingSettings)

    def __post_init__(self) -> None:
        longest_days = max(topic.retention_ms for topic in topics.TABLE) / topics.DAY_MS
        if not self.ledger_ttl_days > longest_days:
            raise ConfigError(
                f"ledger_ttl_days must be above {longest_days:g}, the longest retention of a topic, not "
                f"{self.ledger_ttl_days:g}: a message read again after its ledger entry expired would alert twice"
            )


def consume(member: Running[ConsumerSettings]) -> None:
    """Turn score requests into alerts until the member is stopped; every turn ends in a commit."""
    settings, metrics = member.settings, ConsumerMetrics(member.metrics)
    searches = member.closed_at_end(clients.reader(settings.kafka))
    # The producer first: it ends the transaction of a killed predecessor, which would hide committed offsets.
    producer = _transactional(settings, member.stopped)
    consumer = member.group_consumer(topics.SCORE_REQUESTS)
    arrivals = Arrivals(topics.SCORE_REQUESTS.retention_ms / 1000)
    requests = member.closed_at_end(
        RequestGroup(
            consumer,
            producer,
            metrics.lag,
            member.probe,
            member.stopped,
            member.topics.ids,
            arrivals.note,
        )
    )
    feed = KafkaSearchFeed(searches, member.topics.id_of(topics.SEARCHES.name))
    load_places()
    loop = RequestLoop(
        requests=requests,
        step=_step(member, metrics),
        metrics=metrics,
        unsubscribed=Unsubscribed(feed, member.stopped),
        settings=settings.loop,
        lateness=settings.shaping.lateness(),
        arrivals=arrivals,
        codec=member.codec,
        probe=member.probe,
        turned=SeldomCollector().after(member.turned),
    )
    log.info("consuming %s as %s", topics.SCORE_REQUESTS.name, settings.instance_id)
    loop.run(member.stopped)


def _transactional(settings: ConsumerSettings, stopped: Callable[[], bool]) -> KafkaProducer:
    name = f"{settings.group}-{settings.instance_id}"
    producer = clients.producer(
        settings.kafka, transactional_id=name, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS
    )
    within(OPEN_S, "the start of transactions", producer.init_transactions, stopped)
    return producer


def _step(member: Running[ConsumerSettings], metrics: ConsumerMetrics) -> AlertStep:
    settings = member.settings
    store = member.closed_at_end(open_store(settings.store_url))
    asked = ClientConfig(traffic=TrafficClass.NEARLINE, retry_busy=False)
    ranker = open_ranker(
        settings.ranker_url,
        settings.tokenizer,
        asked,
        calibration=settings.calibration,
        scored_as=settings.scored_as,
    )
    _reach(ranker)
    gate = settings.shaping.gate()
    metrics.watch(gate)
    admitted = AdmittedRanker(ranker, gate, TrafficClass.NEARLINE)
    scorer = CachedScorer(
        admitted, shared_cache(member, settings.cache_url, settings.cache.lifetimes), settings.cache
    )
    metrics.show_cache(scorer.counts)
    ledger = AlertLedger(store, ttl_s=settings.ledger_ttl_days * DAY_S, sent=KafkaSentAlerts(settings.kafka))
    return AlertStep(FeatureStore(store), scorer, ledger, settings.alerts, cuts=CutNotes(store))


def _reach(ranker: Ranker) -> None:
    """Ask the ranker for its name, which opens the connection before the first request needs it."""
    try:
        log.info("scoring by %s", ranker.model)
    except ModelUnavailable as error:
        log.warning("no ranker answers yet: %s", error)


ALERT_CONSUMER = Program(
    module="streaming.alert_consumer",
    description="Scores requests through the cache and sends each passing pair's alert once an opening, in one Kafka "
    "transaction with the requests' offsets. Run as many instances as score.requests has partitions at most.",
    settings=ConsumerSettings,
    topics=(topics.SCORE_REQUESTS, topics.ALERTS, topics.SEARCHES, topics.DLQ),
    writes={Alert: topics.ALERTS, ScoreRequest: topics.SCORE_REQUESTS},
    work=consume,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one alert consumer until SIGTERM or SIGINT and return its exit status."""
    return run_member(ALERT_CONSUMER, argv)


if __name__ == "__main__":
    sys.exit(main())
