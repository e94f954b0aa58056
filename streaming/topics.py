"""Every topic of the system in one table, and the call that creates them (semantics page, 'Topics')."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.errors import ConfigError
from streaming.brokers import require_reachable
from streaming.kafka_settings import KafkaSettings

KIB = 1024
MIB = 1024 * KIB
DAY_MS = 24 * 60 * 60 * 1000
FOREVER_MS = -1

#: Room for a dead letter's headers on top of the largest source message.
DLQ_HEADROOM_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic: what its key is, and how the broker keeps it. `max_bytes` bounds one record batch on the wire."""

    name: str
    key: str
    partitions: int
    cleanup: str
    retention_ms: int
    max_bytes: int

    def configs(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_bytes),
            # latencies are differences of broker timestamps, whatever clock a producer has
            "message.timestamp.type": "LogAppendTime",
        }


UPDATES = Topic(
    name="postings.updates",
    key="posting id",
    partitions=4,
    cleanup="delete",
    retention_ms=7 * DAY_MS,
    max_bytes=2 * MIB,
)
FEATURES = Topic(
    name="postings.features",
    key="posting id",
    partitions=4,
    cleanup="compact",
    retention_ms=FOREVER_MS,
    max_bytes=2 * MIB,
)
DLQ = Topic(
    name="postings.dlq",
    key="posting id",
    partitions=1,
    cleanup="delete",
    retention_ms=30 * DAY_MS,
    max_bytes=UPDATES.max_bytes + DLQ_HEADROOM_BYTES,
)
SEARCHES = Topic(
    name="searches", key="search id", partitions=1, cleanup="compact", retention_ms=FOREVER_MS, max_bytes=MIB
)
SCORE_REQUESTS = Topic(
    name="score.requests", key="search id", partitions=4, cleanup="delete", retention_ms=DAY_MS, max_bytes=MIB
)
ALERTS = Topic(
    name="alerts", key="alert id", partitions=4, cleanup="delete", retention_ms=7 * DAY_MS, max_bytes=MIB
)

#: Consumer groups of our own processes.
FEATURE_GROUP, MATCHER_GROUP, ALERT_GROUP = "feature-job", "nearline-matcher", "nearline-alerts"

TABLE = (UPDATES, FEATURES, DLQ, SEARCHES, SCORE_REQUESTS, ALERTS)


def create_topics(
    kafka: KafkaSettings, topics: tuple[Topic, ...] = TABLE, *, timeout_ms: int = 30_000
) -> list[str]:
    """Create what is missing and return its names; topics that exist are left as they are."""
    new = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=-1, topic_configs=t.configs())
        for t in topics
    ]
    with _admin(kafka) as admin:
        answer = admin.create_topics(new, timeout_ms=timeout_ms, raise_errors=False)
        created = [_created(t["name"], t["error_code"], t.get("error_message")) for t in answer["topics"]]
        admin.wait_for_topics([t.name for t in topics], timeout_ms=timeout_ms)
    return [name for name in created if name]


def require_topics(kafka: KafkaSettings, names: tuple[str, ...]) -> None:
    """Raise ConfigError naming the topics that the brokers do not have, BrokersUnavailable when none answers."""
    with _admin(kafka) as admin:
        missing = sorted(set(names) - set(admin.list_topics()))
    if missing:
        raise ConfigError(
            f"no such topic on {kafka.bootstrap}: {', '.join(missing)}; "
            "`nearline up` creates the local stack's, `python -m streaming.create_topics` those of any other"
        )


@contextmanager
def _admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    require_reachable(kafka.bootstrap)
    try:
        admin = KafkaAdminClient(**kafka.python(), bootstrap_timeout_ms=15_000)
    except KafkaError as error:
        raise ConfigError(
            f"no Kafka broker at {kafka.bootstrap} lets us in with {kafka.security_protocol}: {error}"
        ) from error
    try:
        yield admin
    finally:
        admin.close()


def _created(name: str, code: int, message: str | None) -> str | None:
    if code == 0:
        return name
    error = for_code(code)
    if error is TopicAlreadyExistsError:
        return None
    raise ConfigError(f"topic {name} cannot be created: {message or error.__name__}")
