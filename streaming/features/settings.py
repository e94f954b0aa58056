"""Settings of the feature job: its command line, its Flink options, and the options of its two Kafka tables."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated

from pipeline.featurize import MAX_AHEAD_S
from schemas.errors import ConfigError
from schemas.settings import Option
from storage.couchbase.url import PASSWORD, USERNAME
from streaming.features.worker import WorkerSettings
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import FLINK_PACKAGE, KafkaSettings
from streaming.kafka.topics import DLQ, FEATURE_GROUP, FEATURES, UPDATES
from streaming.process import options

JOB_NAME = "nearline-features"
MAX_DEADLINE_S = 60.0
#: Records of one poll of the Kafka client, its own default.
MIN_POLL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureJobSettings:
    """Settings of the feature job; ConfigError names one that cannot work.

    `batch_size`: most updates of one call of `featurize`, which is one Flink bundle and one Arrow batch.
    `deadline_s`: time for all model calls of one batch together. It bounds how long a checkpoint's barrier and a
    cancellation wait (180 s after a cancellation Flink kills the process).
    """

    kafka: KafkaSettings
    store_url: Annotated[
        str,
        Option(
            "Feature store: couchbase://host/bucket, or lmdb:///dir (one machine only).",
            "--store",
            metavar="URL",
        ),
    ]
    summarizer_url: Annotated[
        str, Option("Model server, http://host:port, or instant: (no model).", "--summarizer", metavar="URL")
    ]
    tokenizer_dir: Annotated[
        str,
        Option("The summarizer's checkpoint, to cut texts by its tokens.", "--tokenizer", metavar="DIR"),
    ] = ""
    embedder_url: Annotated[
        str,
        Option(
            "Embedder whose vectors go into the records: http://host:port (?model=NAME where it has several), or "
            "instant: (no model); empty: records have no vectors.",
            "--embedder",
            metavar="URL",
        ),
    ] = ""
    drift_ranker_url: Annotated[
        str,
        Option(
            "The ranker's URL, to measure on a sample whether summaries keep what it needs; empty: not measured.",
            "--drift-ranker",
            metavar="URL",
        ),
    ] = ""
    drift_tokenizer_dir: Annotated[
        str, Option("The ranker's checkpoint, for its tokenizer.", "--drift-tokenizer", metavar="DIR")
    ] = ""
    drift_share: Annotated[float, Option("Share of the postings with a new text that are measured.")] = 0.01
    group: Annotated[str, Option("Consumer group whose offsets say where to go on.")] = FEATURE_GROUP
    source_topic: str = UPDATES.name
    features_topic: str = FEATURES.name
    dlq_topic: str = DLQ.name
    parallelism: Annotated[int, Option("Subtasks, at most the partitions.")] = 1
    batch_size: Annotated[int, Option("Updates in one call of featurize.")] = 1000
    bundle_ms: Annotated[int, Option("Longest wait for a batch to fill.")] = 50
    deadline_s: Annotated[float, Option("Limit of all model calls of one batch together.")] = 45.0
    checkpoint_s: Annotated[float, Option("Time between commits of offsets.")] = 10.0
    checkpoint_timeout_s: Annotated[float, Option("A checkpoint that takes longer counts as failed.")] = 600.0
    max_backoff_s: Annotated[
        float,
        Option(
            "Longest pause between attempts during an outage, and between Flink's restarts after another error."
        ),
    ] = 60.0
    max_ahead_s: Annotated[
        float, Option("How far in the future an update's time may lie; a later one is a dead letter.")
    ] = MAX_AHEAD_S
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    crash_at: Annotated[
        str, Option("For the fault tests (streaming/process/fault_probe.py).", hidden=True)
    ] = ""

    def __post_init__(self) -> None:
        for name in ("parallelism", "batch_size", "bundle_ms", "checkpoint_s", "checkpoint_timeout_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 < self.deadline_s <= MAX_DEADLINE_S:
            raise ConfigError(
                f"deadline_s must be above 0 and at most {MAX_DEADLINE_S:g}, not {self.deadline_s}"
            )
        if not 0 < self.drift_share <= 1:
            raise ConfigError(
                f"drift_share must be above 0 and at most 1, not {self.drift_share}: without --drift-ranker nothing is measured"
            )
        if self.drift_ranker_url and not self.drift_tokenizer_dir:
            raise ConfigError("--drift-ranker needs --drift-tokenizer: the checkpoint that is served there")
        if not self.max_ahead_s >= 0:
            raise ConfigError(f"max_ahead_s must be 0 or more, not {self.max_ahead_s}")

    def flink(self) -> dict[str, str]:
        """The job's Flink options."""
        return {
            "pipeline.name": JOB_NAME,
            "parallelism.default": str(self.parallelism),
            # rows need no copies between operators, because no operator keeps a row after passing it on
            "pipeline.object-reuse": "true",
            # bundle and Arrow batch have one size: a checkpoint's barrier waits for one call at most (of several rounds
            # under a summarizer that is too slow)
            "python.fn-execution.bundle.size": str(self.batch_size),
            "python.fn-execution.arrow.batch.size": str(self.batch_size),
            "python.fn-execution.bundle.time": str(self.bundle_ms),
            "execution.checkpointing.interval": f"{round(self.checkpoint_s * 1000)} ms",
            "execution.checkpointing.timeout": f"{round(self.checkpoint_timeout_s * 1000)} ms",
            # During an outage the bundle blocks checkpoint barriers, so that each checkpoint fails after its timeout;
            # 1000 failures of 10 minutes are about 7 days before the job gives up.
            "execution.checkpointing.tolerable-failed-checkpoints": "1000",
            "execution.checkpointing.min-pause": f"{min(5000, round(self.checkpoint_s * 1000))} ms",
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "1 s",
            "restart-strategy.exponential-delay.max-backoff": f"{round(self.max_backoff_s * 1000)} ms",
            # The backoff starts anew after this time without a failure. It must be longer than a failing attempt (a
            # batch's deadline and the longest backoff): otherwise the backoff would never grow.
            "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
            # timestamps go to pandas in UTC: in a zone with daylight saving time an hour of the year is ambiguous
            "table.local-time-zone": "UTC",
        }

    def worker(self) -> WorkerSettings:
        """The part of the settings that is sent to the Python workers."""
        return WorkerSettings(**{f.name: getattr(self, f.name) for f in fields(WorkerSettings)})

    def source(self) -> dict[str, str]:
        """Options of the source table: read from the group's committed offsets, a new group from the first message."""
        return {
            "topic": self.source_topic,
            "scan.startup.mode": "group-offsets",
            "properties.group.id": self.group,
            "properties.auto.offset.reset": "earliest",
            # While the worker has a batch, the thread that reads from Kafka lays at most two polls ready for the next
            # one: with the client's 500 records a poll, most of a large batch would be read while the worker waits.
            "properties.max.poll.records": str(max(MIN_POLL, self.batch_size)),
            # Updates of a transaction that was given up never happened. Others wait until an open transaction ends.
            "properties.isolation.level": "read_committed",
            "key.format": "raw",
            "key.fields": "k",
            "value.format": "raw",
            "value.fields-include": "EXCEPT_KEY",
            **_properties(self.kafka),
        }

    def sink(self) -> dict[str, str]:
        """Options of the sink table, which writes each row to the topic that its column `topic` names."""
        return {
            "topic": f"{self.features_topic};{self.dlq_topic}",
            "sink.delivery-guarantee": "at-least-once",
            "key.format": "raw",
            "key.fields": "k",
            "value.format": "raw",
            "value.fields-include": "EXCEPT_KEY",
            "properties.acks": "all",
            "properties.max.request.size": str(DLQ.max_bytes),
            "properties.linger.ms": "5",
            "properties.batch.size": str(128 * 1024),
            **_properties(self.kafka),
        }


def _properties(kafka: KafkaSettings) -> dict[str, str]:
    return {f"properties.{name}": value for name, value in kafka.java(package=FLINK_PACKAGE).items()}


def parse(argv: Sequence[str], environ: Mapping[str, str], *, description: str = "") -> FeatureJobSettings:
    """The settings that command line and environment give; ConfigError names one that cannot work."""
    parser = options.parser(
        FeatureJobSettings,
        prog="flink run ... -pym streaming.feature_job",
        description=description,
        epilog="TLS and SASL: NEARLINE_KAFKA_SECURITY_PROTOCOL, _SASL_USERNAME, ... (streaming/kafka/settings.py). "
        f"The schema registry's credentials: {AUTH}=user:password. A Couchbase store's: {USERNAME} and {PASSWORD}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return options.settings_of(FeatureJobSettings, parser.parse_args(argv), environ)


def check_store(store_url: str, target: str, address: str) -> None:
    """Raise ConfigError when the store is on one machine and the Flink master at `address` on another."""
    loopback = address == "localhost" or address.startswith("127.") or address == "::1"
    if store_url.startswith(("lmdb:", "memory:")) and not (target in ("local", "remote") and loopback):
        raise ConfigError(
            f"store {store_url} is on one machine, but Flink's master is {target} at {address}: "
            "give a store that every worker reaches, such as couchbase://"
        )
