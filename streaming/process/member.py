"""Run a Kafka process: its command line, what each of them opens, and its end; most are members of a consumer group.

An entry module (`streaming.matcher`, `streaming.alert_consumer`, `streaming.search_service`) describes what is
particular about it in a `Program`.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Protocol, TypeVar

from kafka import KafkaConsumer
from prometheus_client import CollectorRegistry

from schemas.codec import Codec
from schemas.settings import Option
from streaming.kafka import clients
from streaming.kafka.admin import wait_for_topics
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topic_watch import TopicWatch, watch
from streaming.kafka.topics import Topic
from streaming.process import lifecycle, options
from streaming.process.fault_probe import Probe, crash_at
from streaming.process.health import LIMIT_S, LoopHealth
from streaming.process.metrics import MetricsServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """Settings of every Kafka process."""

    kafka: KafkaSettings
    store_url: Annotated[
        str,
        Option("Feature store: lmdb:///absolute/path or couchbase://host/bucket.", "--store", metavar="URL"),
    ]
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    metrics_port: Annotated[
        int, Option("Port of Prometheus' /metrics and of the probes /live and /ready; 0 is off.")
    ] = 0
    metrics_host: Annotated[str, Option("Address that /metrics listens on; in a pod 0.0.0.0.")] = "127.0.0.1"
    live_s: Annotated[
        float,
        Option(
            "After so long without a finished turn of its loop /live answers 503; longer than any turn takes."
        ),
    ] = LIMIT_S
    crash_at: Annotated[
        str, Option("For the fault tests (streaming/process/fault_probe.py).", hidden=True)
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings(ProcessSettings):
    """Settings of every member of a consumer group."""

    group: str
    instance_id: Annotated[
        str,
        Option(
            "This instance's stable name within its group (static membership: a restart under the same name takes "
            "its partitions back at once; two processes must never share one)."
        ),
    ] = "1"
    session_timeout_s: Annotated[
        float,
        Option("After so long without a sign of life the group gives this instance's partitions away."),
    ] = 45.0
    max_poll_records: int = 500


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
MemberT = TypeVar("MemberT", bound=MemberSettings)


class Closeable(Protocol):
    """Anything that is closed when the process ends."""

    def close(self) -> object:
        """Release it."""
        ...


CloseableT = TypeVar("CloseableT", bound=Closeable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running(Generic[SettingsT]):
    """What a running process works with; parts given to `closed_at_end` are closed at its end, the last one first."""

    settings: SettingsT
    stopped: Callable[[], bool]
    probe: Probe
    metrics: CollectorRegistry
    health: LoopHealth
    topics: TopicWatch
    codec: Codec
    _opened: ExitStack

    def turned(self) -> None:
        """Note that the loop has finished a turn; a topic that is missing is its trouble."""
        self.health.turned(self.topics.trouble())

    def closed_at_end(self, part: CloseableT) -> CloseableT:
        """Return `part`, which is closed when the process ends."""
        return self._opened.enter_context(closing(part))

    def group_consumer(self: "Running[MemberT]", topic: Topic) -> KafkaConsumer:
        """A consumer of `topic` in the member's group, under its instance's name."""
        return clients.group_consumer(
            self.settings.kafka,
            topic.name,
            group=self.settings.group,
            instance_id=self.settings.instance_id,
            session_timeout_s=self.settings.session_timeout_s,
            max_poll_records=self.settings.max_poll_records,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program(Generic[SettingsT]):
    """What is particular about one consumer process.

    `settings` has the options. `topics` must exist. `writes`: the topic of each record that it sends. `work` runs until
    `stopped()`.
    """

    module: str
    description: str
    settings: type[SettingsT]
    topics: Sequence[Topic]
    writes: Mapping[type[Any], Topic]
    work: Callable[[Running[SettingsT]], None]


def run_member(program: Program[SettingsT], argv: Sequence[str] | None = None) -> int:
    """Run one instance until SIGTERM or SIGINT; exit status 2 for a setting that cannot work, 1 for an outage."""
    given = parser(program).parse_args(argv)
    return lifecycle.work_until_stopped(
        lambda stopped: _run(program, options.settings_of(program.settings, given, os.environ), stopped)
    )


def parser(program: Program[Any]) -> argparse.ArgumentParser:
    """The command line: the connections, the options of every process, then the program's own."""
    return options.parser(
        program.settings, prog=f"python -m {program.module}", description=program.description
    )


def _run(program: Program[SettingsT], settings: SettingsT, stopped: Callable[[], bool]) -> None:
    """Wait for brokers and topics, then work with codec and metrics open. Raises what ends the process."""
    metrics, probe = CollectorRegistry(), crash_at(settings.crash_at)
    health = LoopHealth(metrics, settings.live_s)
    with ExitStack() as opened:
        opened.enter_context(MetricsServer(metrics, health, settings.metrics_port, settings.metrics_host))
        names = tuple(topic.name for topic in program.topics)
        if not wait_for_topics(settings.kafka, names, stopped, waits=health.turned):
            return
        health.turned()
        topics = opened.enter_context(closing(watch(settings.kafka, names, metrics)))
        written = {record: topic.name for record, topic in program.writes.items()}
        codec = opened.enter_context(closing(open_codec(settings.registry, written)))
        program.work(
            Running(
                settings=settings,
                stopped=stopped,
                probe=probe,
                metrics=metrics,
                health=health,
                topics=topics,
                codec=codec,
                _opened=opened,
            )
        )
