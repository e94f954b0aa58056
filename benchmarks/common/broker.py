"""The benchmarks' own broker, and what its offsets and timestamps say about a run."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition
from kafka import KafkaAdminClient

from nearline.stack.broker import broker
from nearline.stack.jars import ensure_jars
from nearline.stack.processes import wait_until
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import Supervisor
from nearline.stack.tools import check_ports
from streaming.kafka.admin import create_topics
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import Topic

BUILD = Path(__file__).parents[2] / "build"
PORT_BASE = 27_000
TIMEOUT_S = 30.0


@contextmanager
def running_broker(port_base: int = PORT_BASE) -> Iterator[StackSettings]:
    """A broker with every topic, in a home of its own; its data is gone afterwards."""
    settings = StackSettings(home=BUILD / "bench-broker", port_base=port_base, models="instant")
    check_ports({role: settings.port(role) for role in ("kafka", "controller")})
    _remove(settings.home)
    settings.home.mkdir(parents=True)
    ensure_jars(settings.jars)
    supervisor = Supervisor(settings, [[broker(settings)]])
    try:
        supervisor.start()
        yield settings
    finally:
        supervisor.stop()
        _remove(settings.home)


def empty(bootstrap: str, topics: Sequence[Topic]) -> None:
    """Delete these topics and create them again; returns when each of their partitions has its leader."""
    kafka = KafkaSettings(bootstrap=bootstrap)
    names = {topic.name for topic in topics}
    with closing(KafkaAdminClient(**kafka.python())) as admin:
        admin.delete_topics(list(names))
        _must(lambda: not names & set(admin.list_topics()))
    _must(lambda: len(create_topics(kafka, tuple(topics))) == len(names))
    with closing(Offsets(bootstrap)) as offsets:
        offsets.ends(topics)


#: Leaders and coordinators are still being chosen when topics and groups are new.
patiently = stamina.retry(on=KafkaException, attempts=None, timeout=TIMEOUT_S, wait_max=1.0)


class Offsets:
    """Looks at topics from outside; one connection for a whole run."""

    def __init__(self, bootstrap: str, group: str = "benchmark-observer") -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )

    def ends(self, topics: Sequence[Topic]) -> int:
        """Messages ever written to these topics (transaction markers count too)."""
        return sum(self._window(part)[1] for part in _parts(topics))

    @patiently
    def committed(self, topic: Topic) -> int:
        """Messages of `topic` that this group has committed."""
        answer = self._consumer.committed(_parts([topic]), timeout=TIMEOUT_S)
        return sum(max(0, part.offset) for part in answer)

    def span(self, topics: Sequence[Topic], share: float = 1.0) -> tuple[int, int, int]:
        """Count of the first `share` of each partition's messages; the broker's times of the first and the last in ms.

        Raises ValueError when there are none.
        """
        count, times = 0, list[int]()
        for part in _parts(topics):
            low, high = self._window(part)
            if taken := int(share * (high - low)):
                count += taken
                times += [self._timestamp(part, offset) for offset in (low, low + taken - 1)]
        return count, min(times), max(times)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    @patiently
    def _window(self, part: TopicPartition) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(part, timeout=TIMEOUT_S)
        return int(low), int(high)

    def _timestamp(self, part: TopicPartition, offset: int) -> int:
        """Of the message at `offset`, or of the last one before it: a transaction's marker has none."""
        for start in range(offset, -1, -1):
            self._consumer.assign([TopicPartition(part.topic, part.partition, start)])
            message = self._consumer.poll(TIMEOUT_S)
            if message is not None and message.error() is None:
                return int(message.timestamp()[1])
        raise ValueError(f"{part.topic}[{part.partition}] has no message up to {offset}")


def in_home(settings: StackSettings, home: Path, **changes: object) -> StackSettings:
    """The same broker's settings for parts that live in another home."""
    return replace(settings, home=home, **changes)  # type: ignore[arg-type]


def _parts(topics: Sequence[Topic]) -> list[TopicPartition]:
    return [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]


def _must(condition: Callable[[], bool]) -> None:
    if not wait_until(condition, TIMEOUT_S):
        raise TimeoutError("the broker does not do what it was asked")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
