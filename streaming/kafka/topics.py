"""The topics of the system in one table, with their settings (docs/semantics.md#topics)."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
DAY_MS = 24 * 60 * 60 * 1000
FOREVER_MS = -1

#: Room for a dead letter's headers on top of the largest source message.
DLQ_HEADROOM_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic: what its key is, and how the broker keeps its messages. `max_bytes`: largest record batch."""

    name: str
    key: str
    partitions: int
    cleanup: str
    retention_ms: int
    max_bytes: int

    def configs(self) -> dict[str, str]:
        """The topic's settings by Kafka's names."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_bytes),
            # latencies are measured between broker timestamps, so that producers' clocks do not matter
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

#: Consumer groups of feature job, matcher and alert consumer.
FEATURE_GROUP, MATCHER_GROUP, ALERT_GROUP = "feature-job", "nearline-matcher", "nearline-alerts"

TABLE = (UPDATES, FEATURES, DLQ, SEARCHES, SCORE_REQUESTS, ALERTS)
