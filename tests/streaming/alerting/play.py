"""What a consumer of score requests lives through in the tests: a topic, a store, a model, kills and losses."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from pipeline.alert import AlertStep
from schemas.codec import decode, encode
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.records import Alert, Candidate, FeatureRecord, SavedSearch, ScoreRequest, State
from storage.features import FeatureStore, FeatureWrite
from storage.ledger import AlertLedger
from storage.memory import MemoryStore
from streaming.alerting.loop import RequestLoop, RequestLoopSettings
from streaming.alerting.memory_log import MemoryRequests, MemorySentAlerts
from streaming.alerting.metrics import ConsumerMetrics
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message, Outgoing
from tests.pipeline.builders import feature

PARTITIONS = 2


class Killed(BaseException):
    """Stands for kill -9: nothing of the process goes on."""


@dataclass(slots=True)
class Model(Ranker):
    """A ranker that can be away, and refuses some titles for good."""

    away: bool = False
    refuses: set[str] = field(default_factory=set)
    calls: list[tuple[str, int]] = field(default_factory=list)
    model: str = "lexical@1"

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        self.calls.append((query, len(items)))
        if self.away:
            raise ModelUnavailable("nobody answers", retry_after_s=2.0)
        if any(item.title in self.refuses for item in items):
            raise ModelRejected("this title makes it fall over")
        return LexicalRanker().score_many(query, items, deadline_s)


class Copy(NamedTuple):
    """A copy of the cluster's data: the requests, the group's offsets, what was sent."""

    partitions: list[list[Message]]
    committed: dict[int, int]
    out: list[Outgoing]


class World:
    """What survives a consumer: the topic, the store with its ledger, commits, what was sent."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.topic = MemoryTopic(topics.SCORE_REQUESTS.name, PARTITIONS)
        self.kv = MemoryStore(lambda: 0.0)
        self.features = FeatureStore(self.kv)
        self.committed: dict[int, int] = {}
        self.out: list[Outgoing] = []
        self.model = Model()
        self.gone: set[str] = set()
        #: Alerts that readers have seen and a restored cluster has not.
        self.lost: list[Outgoing] = []
        self.kill_at = ""

    def restore(self, copy: "Copy") -> None:
        """Put an older copy of the cluster's data back; the store and what readers have seen stay as they are."""
        self.lost += self.out[len(copy.out) :]
        self.topic.partitions = [list(messages) for messages in copy.partitions]
        self.committed.clear()
        self.committed.update(copy.committed)
        self.out[:] = copy.out

    def start(self, **changes: Any) -> tuple[RequestLoop, MemoryRequests]:
        log = MemoryRequests(self.topic, self.committed, self.out)
        ledger = AlertLedger(self.kv, sent=MemorySentAlerts(lambda: self.out))
        loop = RequestLoop(
            requests=log,
            step=AlertStep(self.features, self.model, ledger),
            metrics=ConsumerMetrics(CollectorRegistry()),
            unsubscribed=self.unsubscribed,
            settings=RequestLoopSettings(**{"max_candidates": 10} | changes),
            clock=lambda: self.now_s,
            utc_s=lambda: self.now_s,
            probe=self.probe,
        )
        return loop, log

    def probe(self, step: str) -> None:
        if step == self.kill_at:
            self.kill_at = ""
            raise Killed

    def unsubscribed(self) -> Collection[str]:
        return self.gone

    def store(self, number: int, version: int = 1, **fields: Any) -> None:
        made: dict[str, Any] = {"title": f"nurse {number}", "posting_id": f"p{number}", "version": version}
        stamped = dict.fromkeys(("content_version", "lifecycle_version", "summary_version"), version)
        record = feature(**made | stamped | fields)
        self.features.merge_many([FeatureWrite(posting_id=record.posting_id, seen=None, record=record)])

    def request(self, search_id: str, *numbers: int, version: int = 1) -> None:
        search = SavedSearch(search_id=search_id, query="nurse", threshold=0.6)
        candidates = tuple(Candidate(posting_id=f"p{n}", version=version, updated_ms=0) for n in numbers)
        value = encode(ScoreRequest(search=search, candidates=candidates, created_ms=int(1000 * self.now_s)))
        self.topic.append(value, key=search_id.encode(), partition=sum(search_id.encode()) % PARTITIONS)

    def turns(self, loop: RequestLoop, count: int = 40, step_s: float = 0.3) -> None:
        for _ in range(count):
            self.now_s += step_s
            loop.turn()

    def alerts(self) -> list[Alert]:
        sent = (*self.lost, *self.out)
        return [decode(Alert, m.value or b"") for m in sent if m.topic == topics.ALERTS.name]

    def pairs(self) -> Counter[tuple[str, str]]:
        return Counter((alert.search_id, alert.posting_id) for alert in self.alerts())

    def letters(self) -> list[Outgoing]:
        return [m for m in self.out if m.topic == topics.DLQ.name]

    def lag(self) -> int:
        return sum(len(m) - self.committed.get(p, 0) for p, m in enumerate(self.topic.partitions))


class Play:
    """A consumer's life from one action to the next, with what did pass at some time."""

    def __init__(self) -> None:
        self.world = World()
        self.version = 1
        self.passed: set[tuple[str, int]] = set()
        self.start()

    def start(self) -> None:
        self.loop, self.log = self.world.start(defer_s=1.0)

    def act(self, action: str, number: int, detail: str) -> None:
        match action:
            case "write":
                self.write(number, detail)
            case "repeat" if self.held(number) is not None:
                self.world.request("a", number)
            case "turns":
                try:
                    self.world.turns(self.loop, number)
                except Killed:
                    self.start()
            case "kill" if detail:
                self.world.kill_at = detail
            case "kill":
                self.start()
            case "away":
                self.world.model.away = bool(number)
            case "refuse":
                self.log.refuse = number

    def held(self, number: int) -> FeatureRecord | None:
        return self.world.features.get_many([f"p{number}"])[0]

    def write(self, number: int, kind: str) -> None:
        """One event: the text passes, fails or waits for its summary, or the posting closes; the next opens it."""
        self.version += 1
        before, hashed = self.held(number), self.version.to_bytes(16, "big")
        if kind == "closed":
            if before is not None:
                self.put(
                    replace(before, state=State.CLOSED, lifecycle_version=self.version, version=self.version)
                )
            return
        episode = before.episode if before is not None and before.state is State.OPEN else self.version
        summary = b"?" * 16 if kind == "pending" else hashed
        title = "baker" if kind == "fails" else "nurse"
        fields = {"title": title, "episode": episode, "content_hash": hashed, "input_hash": hashed}
        self.world.store(number, self.version, summary_hash=summary, **fields)
        if kind != "pending":
            self.request(number)

    def put(self, record: FeatureRecord) -> None:
        self.world.features.merge_many([FeatureWrite(posting_id=record.posting_id, seen=None, record=record)])

    def request(self, number: int) -> None:
        """As the matcher does for the current record."""
        record = self.held(number)
        assert record is not None
        for search_id in "ab":
            self.world.request(search_id, number, version=record.version)
        if record.title == "nurse":
            self.passed.add((record.posting_id, record.version))

    def end(self) -> None:
        """Everything works again, and the feature job sends what waited for a summary."""
        self.world.model.away, self.world.kill_at, self.log.refuse = False, "", 0
        for number in range(2):
            held = self.held(number)
            if held is not None and held.state is State.OPEN and held.summary_hash != held.input_hash:
                self.put(replace(held, summary_hash=held.input_hash, generation=9))
                self.request(number)
        for _ in range(400):
            if self.world.lag():
                self.world.turns(self.loop, 1)
