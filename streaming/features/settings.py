"""Settings of the feature job: its command line, its Flink options, and those of its two Kafka tables."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from schemas.errors import ConfigError
from storage.couchbase.url import PASSWORD, USERNAME
from streaming.features.worker import WorkerSettings
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import FLINK_PACKAGE, KafkaSettings
from streaming.kafka.topics import DLQ, FEATURES, UPDATES
from streaming.process import options
from streaming.process.options import Option

JOB_NAME = "nearline-features"
MAX_DEADLINE_S = 60.0


OPTIONS = (
    Option(
        "store_url",
        "feature store: couchbase://host/bucket, or lmdb:///dir (one machine only)",
        "--store",
        "URL",
    ),
    Option("summarizer_url", "http://host:port, or instant: (no model)", "--summarizer", "URL"),
    Option("tokenizer_dir", "the summarizer's checkpoint, to cut texts by its tokens", "--tokenizer", "DIR"),
    Option("group", "consumer group whose offsets say where to go on"),
    Option("parallelism", "subtasks, at most the partitions"),
    Option("batch_size", "updates in one call of featurize"),
    Option("bundle_ms", "longest wait for a batch to fill"),
    Option("deadline_s", "all model calls of one batch together"),
    Option("checkpoint_s", "time between commits of offsets"),
    Option("checkpoint_timeout_s", "a checkpoint that takes longer counts as failed"),
    Option("max_backoff_s", "longest pause between restarts while an outage lasts"),
    Option("crash_at", argparse.SUPPRESS),  # for the fault tests (streaming/process/fault_probe.py)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureJobSettings:
    """Settings of the feature job; ConfigError names one that cannot work.

    `batch_size` bounds one call of `featurize`, one bundle and one Arrow batch; all model calls of one batch together
    end after `deadline_s`, so a checkpoint's barrier and a cancellation (Flink kills after 180 s) wait no longer.
    """

    kafka: KafkaSettings
    store_url: str
    summarizer_url: str
    tokenizer_dir: str = ""
    group: str = "feature-job"
    source_topic: str = UPDATES.name
    features_topic: str = FEATURES.name
    dlq_topic: str = DLQ.name
    parallelism: int = 1
    batch_size: int = 1000
    bundle_ms: int = 50
    deadline_s: float = 45.0
    checkpoint_s: float = 10.0
    checkpoint_timeout_s: float = 600.0
    max_backoff_s: float = 60.0
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    crash_at: str = ""

    def __post_init__(self) -> None:
        for name in ("parallelism", "batch_size", "bundle_ms", "checkpoint_s", "checkpoint_timeout_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 < self.deadline_s <= MAX_DEADLINE_S:
            raise ConfigError(
                f"deadline_s must be above 0 and at most {MAX_DEADLINE_S:g}, not {self.deadline_s}"
            )

    def flink(self) -> dict[str, str]:
        """The job's Flink options."""
        return {
            "pipeline.name": JOB_NAME,
            "parallelism.default": str(self.parallelism),
            # no operator keeps a row that it has passed on
            "pipeline.object-reuse": "true",
            # one bundle is one Arrow batch is one call: a barrier waits for at most one of them
            "python.fn-execution.bundle.size": str(self.batch_size),
            "python.fn-execution.arrow.batch.size": str(self.batch_size),
            "python.fn-execution.bundle.time": str(self.bundle_ms),
            "execution.checkpointing.interval": f"{round(self.checkpoint_s * 1000)} ms",
            "execution.checkpointing.timeout": f"{round(self.checkpoint_timeout_s * 1000)} ms",
            # an outage is waited out inside a bundle, which no barrier passes meanwhile: at 10 minutes each, a week
            "execution.checkpointing.tolerable-failed-checkpoints": "1000",
            "execution.checkpointing.min-pause": f"{min(5000, round(self.checkpoint_s * 1000))} ms",
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "1 s",
            "restart-strategy.exponential-delay.max-backoff": f"{round(self.max_backoff_s * 1000)} ms",
            # longer than a failing round lasts (a batch's deadline and a full backoff), or the backoff never grows
            "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
            # timestamps cross into pandas as UTC: a local zone has ambiguous hours
            "table.local-time-zone": "UTC",
        }

    def worker(self) -> WorkerSettings:
        """The part of the settings that travels to the Python workers."""
        return WorkerSettings(**{f.name: getattr(self, f.name) for f in fields(WorkerSettings)})

    def source(self) -> dict[str, str]:
        """Options of the source table: resume where the group stands, from the very beginning when it is new."""
        return {
            "topic": self.source_topic,
            "scan.startup.mode": "group-offsets",
            "properties.group.id": self.group,
            "properties.auto.offset.reset": "earliest",
            "key.format": "raw",
            "key.fields": "k",
            "value.format": "raw",
            "value.fields-include": "EXCEPT_KEY",
            **_properties(self.kafka),
        }

    def sink(self) -> dict[str, str]:
        """Options of the sink table, which writes each row to the topic that the row names."""
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
    """The settings of command line, NEARLINE_KAFKA_* and NEARLINE_SCHEMA_REGISTRY_AUTH; ConfigError names a bad one."""
    parser = argparse.ArgumentParser(
        prog="flink run ... -pym streaming.feature_job",
        description=description,
        epilog="TLS and SASL: NEARLINE_KAFKA_SECURITY_PROTOCOL, _SASL_USERNAME, ... (streaming/kafka/settings.py). "
        f"The schema registry's credentials: {AUTH}=user:password. A Couchbase store's: {USERNAME} and {PASSWORD}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_connections(parser, "read Confluent framing too, and write it to the features topic")
    options.add(parser, FeatureJobSettings, OPTIONS)
    given = parser.parse_args(argv)
    return FeatureJobSettings(
        **options.connections(given, environ),
        **options.taken(FeatureJobSettings, given) | options.stores(given, environ),
    )


def check_store(store_url: str, target: str, address: str) -> None:
    """ConfigError when the store lives on one machine and the Flink master `address` is another."""
    loopback = address == "localhost" or address.startswith("127.") or address == "::1"
    if store_url.startswith(("lmdb:", "memory:")) and not (target in ("local", "remote") and loopback):
        raise ConfigError(
            f"store {store_url} lives on one machine, but Flink's master is {target} at {address}: "
            "give a store that every worker reaches, such as couchbase://"
        )
