"""What the tests of our Kafka processes use: a store, a group of their own, processes, and all that came out."""

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import httpx
from kafka import KafkaAdminClient, TopicPartition

from nearline.stack.processes import wait_until
from schemas.codec import decode, encode
from schemas.errors import DecodeError
from schemas.records import Alert, FeatureRecord, SavedSearch, ScoreRequest
from storage.features import FeatureStore, FeatureWrite
from storage.opening import open_store
from streaming.kafka import clients, topics
from streaming.kafka.admin import create_topics
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.settings import KafkaSettings

WATCHED = (topics.SCORE_REQUESTS, topics.ALERTS, topics.DLQ)


class Stage:
    """Close it: processes are killed, clients closed."""

    def __init__(self, kafka: KafkaSettings, home: Path) -> None:
        self.kafka = kafka
        self.home = home
        self.store_url = f"lmdb://{home}/store?sync=os&map_size=64M"
        self.group = f"g-{uuid.uuid4()}"
        self.seen: list[Message] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self._kv = open_store(self.store_url)
        self.features = FeatureStore(self._kv)
        self._producer = clients.producer(kafka)
        self._reader = clients.reader(kafka, max_poll_records=5000)
        partitions = [TopicPartition(t.name, n) for t in WATCHED for n in range(t.partitions)]
        self._reader.assign(partitions)
        self._reader.seek_to_beginning(*partitions)

    def start(
        self, module: str, *arguments: str, instance: str = "1", grouped: bool = True
    ) -> subprocess.Popen[bytes]:
        """One process of ours; what it logs goes to a file named after its start. `grouped`: it is in a group."""
        given = ("--bootstrap", self.kafka.bootstrap, "--store", self.store_url)
        member = ("--group", self.group, "--instance-id", instance) if grouped else ()
        command = [sys.executable, "-m", module, *given, *member, *arguments]
        with (self.home / f"{module}-{instance}-{len(self.processes)}.log").open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def logs(self) -> str:
        """The end of every process's log."""
        return "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in sorted(self.home.glob("*.log")))

    def store_features(self, records: Sequence[FeatureRecord]) -> None:
        """Into the store, as the feature job or a backfill does."""
        self.features.merge_many(
            [FeatureWrite(posting_id=r.posting_id, seen=None, record=r) for r in records]
        )

    def send_features(self, records: Sequence[FeatureRecord]) -> None:
        """Into the store and onto the topic."""
        self.store_features(records)
        stamp = str(int(time.time() * 1000)).encode()
        self.send(
            [
                Outgoing(topics.FEATURES.name, r.posting_id.encode(), encode(r), {"source_ts": stamp})
                for r in records
            ]
        )

    def send_searches(self, searches: Sequence[SavedSearch]) -> None:
        """Subscribe."""
        self.send([Outgoing(topics.SEARCHES.name, s.search_id.encode(), encode(s)) for s in searches])

    def send_requests(self, requests: Sequence[ScoreRequest]) -> None:
        """As the matcher does."""
        self.send(
            [Outgoing(topics.SCORE_REQUESTS.name, r.search.search_id.encode(), encode(r)) for r in requests]
        )

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Any messages, acknowledged."""
        futures = [clients.send(self._producer, message) for message in messages]
        self._producer.flush()
        for future in futures:
            future.get(timeout=0)

    def delete_topic(self, name: str) -> None:
        """Take one topic away."""
        admin = KafkaAdminClient(**self.kafka.python())
        admin.delete_topics([name])
        admin.close()

    def read(self, timeout_s: float = 0.2) -> None:
        """Take in what came out."""
        self.seen += clients.poll(self._reader, timeout_s)

    def pairs(self) -> set[tuple[str, str]]:
        """(search id, posting id) of every candidate requested."""
        return {(r.search.search_id, c.posting_id) for r in self.requests() for c in r.candidates}

    def requests(self) -> list[ScoreRequest]:
        """Every readable score request produced."""
        return list(_readable(m for m in self.seen if m.topic == topics.SCORE_REQUESTS.name))

    def alerts(self) -> list[Alert]:
        """Every alert committed."""
        return [decode(Alert, m.value or b"") for m in self.seen if m.topic == topics.ALERTS.name]

    def letters(self) -> list[Message]:
        """Every dead letter."""
        return [m for m in self.seen if m.topic == topics.DLQ.name]

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Read until it holds; AssertionError with the logs when it never does, or when a process died."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{condition} never held; saw {self.summary()}\n{self.logs()}"
            self.read()

    def quiet(self, seconds: float = 1.5) -> None:
        """Read for a while in which something unwanted could still arrive."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read()

    def summary(self) -> str:
        """What came out, in numbers."""
        return f"{len(self.requests())} requests, {len(self.alerts())} alerts, {len(self.letters())} letters"

    def close(self) -> None:
        """Kill what runs, close what is open."""
        for process in self.processes:
            process.kill()
            process.wait()
        self._producer.close()
        self._reader.close()
        self._kv.close()


def gauge(port: int, name: str) -> float:
    """The sum of a metric's samples; -1 while nobody serves them."""
    try:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return -1
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


def _readable(messages: Iterable[Message]) -> Iterator[ScoreRequest]:
    for message in messages:
        with contextlib.suppress(DecodeError):
            yield decode(ScoreRequest, message.value or b"")


def fresh_topics(kafka: KafkaSettings) -> None:
    """Every topic of the table, new and empty."""
    names = {topic.name for topic in topics.TABLE}
    admin = KafkaAdminClient(**kafka.python())
    try:
        if old := names & set(admin.list_topics()):
            admin.delete_topics(list(old))
            assert wait_until(lambda: not names & set(admin.list_topics()), 20, 0.05)
    finally:
        admin.close()
    assert wait_until(lambda: len(create_topics(kafka)) == len(names), 20)
