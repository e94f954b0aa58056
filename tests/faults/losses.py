"""What a fault test takes away from a running stack: groups, topics, the newest part of the brokers' data."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import psutil
from kafka import KafkaAdminClient

from nearline.stack import daemon, processes
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from schemas.codec import decode
from schemas.records import Alert, FeatureRecord
from streaming.kafka import clients, topics
from streaming.kafka.admin import create_topics
from streaming.kafka.lag import lag
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.whole_topic import WholeTopics
from tests.faults import world
from tests.faults.verify import Evidence

READ = (topics.FEATURES, topics.ALERTS)
GROUPS = {
    topics.FEATURE_GROUP: topics.UPDATES,
    topics.MATCHER_GROUP: topics.FEATURES,
    topics.ALERT_GROUP: topics.SCORE_REQUESTS,
}


class Readers:
    """Reads alerts and features all the time, as their readers do, and keeps what a loss takes from the topics.

    A message that is read again, from a restored topic, is the one that was read before: its place, time and value are.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = clients.reader(kafka)
        self._topics = WholeTopics(self._consumer, [topic.name for topic in READ])
        self._messages: dict[tuple[Any, ...], Message] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(60)
        self._consumer.close()

    def _read(self) -> None:
        while not self._over.is_set():
            for m in self._topics.poll(0.2):
                self._messages[m.topic, m.partition, m.offset, m.timestamp_ms, m.key, m.value] = m

    def seen(self) -> Evidence:
        """Everything read so far."""
        evidence = Evidence()
        for message in list(self._messages.values()):
            if message.topic == topics.ALERTS.name:
                evidence.alerts.append(decode(Alert, message.value or b""))
            else:
                record = decode(FeatureRecord, message.value or b"")
                evidence.published[record.posting_id, record.version].append(record)
        return evidence


def kafka_of(stack: StackSettings) -> KafkaSettings:
    """The stack's brokers."""
    return KafkaSettings(bootstrap=stack.bootstrap)


def await_quiet(stack: StackSettings, timeout_s: float = 300.0, calm: int = 8) -> None:
    """Until no group is behind its topic, `calm` times in a row, a second apart."""
    kafka, deadline, quiet = kafka_of(stack), time.monotonic() + timeout_s, 0
    while quiet < calm:
        behind = {group: lag(kafka, group, topic.name) for group, topic in GROUPS.items()}
        assert time.monotonic() < deadline, behind
        quiet = 0 if any(behind.values()) else quiet + 1
        time.sleep(1.0)


def process(stack: StackSettings, name: str) -> psutil.Process:
    """A component's process."""
    pid = next(state["pid"] for state in read_state(stack.home) if state["name"] == name)
    assert isinstance(pid, int)
    return psutil.Process(pid)


@contextmanager
def nobody_restarts(stack: StackSettings) -> Iterator[None]:
    """Stop the supervisor for a while, which would start a dead component again at once."""
    supervisor = daemon.running(stack.home)
    assert supervisor is not None
    supervisor.suspend()
    try:
        yield
    finally:
        supervisor.resume()


def delete_group(stack: StackSettings, component: str, group: str) -> None:
    """Delete a group, for which its member must be gone: a static one is until its session ends."""
    with nobody_restarts(stack), closing(KafkaAdminClient(**kafka_of(stack).python())) as admin:
        world.kill(stack, component)

        def deleted() -> bool:
            return bool(admin.delete_groups([group])[group] == "OK")

        assert processes.wait_until(deleted, 120, 1.0), "the group never became empty"
    world.await_health(stack, time.time() + 1.0)


def create_anew(stack: StackSettings, topic: topics.Topic, missing_s: float = 1.0) -> None:
    """Delete a topic and create it again."""
    with closing(KafkaAdminClient(**kafka_of(stack).python())) as admin:
        admin.delete_topics([topic.name])
        assert processes.wait_until(lambda: topic.name not in admin.list_topics(), 30, 0.1)
    time.sleep(missing_s)
    assert create_topics(kafka_of(stack), (topic,)) == [topic.name]


def copy_data(stack: StackSettings, to: Path) -> None:
    """Copy the broker's data while it stands still."""
    broker = process(stack, "kafka")
    broker.suspend()
    shutil.copytree(_data(stack), to)
    broker.resume()


def put_back(stack: StackSettings, copy: Path) -> None:
    """Replace the broker's data by an older copy, and start it again."""
    with nobody_restarts(stack):
        broker = process(stack, "kafka")
        broker.kill()
        psutil.wait_procs([broker], 30)
        shutil.rmtree(_data(stack))
        shutil.copytree(copy, _data(stack))
    world.await_health(stack, time.time() + 1.0)


def _data(stack: StackSettings) -> Path:
    return stack.home / "kafka" / "data"
