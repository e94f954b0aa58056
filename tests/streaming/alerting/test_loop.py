"""The alert consumer's loop without a broker: outages, deferrals, poison, aborts and kills; each pair alerts once."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from models.prompts import Item
from models.ranker import LexicalRanker
from pipeline.alert import AlertStep
from schemas.codec import decode, encode
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.keys import alert_id
from schemas.records import Alert, Candidate, FeatureRecord, SavedSearch, ScoreRequest, State
from storage.features import FeatureStore, FeatureWrite
from storage.ledger import AlertLedger
from storage.memory import MemoryStore
from streaming.alerting.loop import LoopSettings, RequestLoop
from streaming.alerting.memory_log import MemoryRequests
from streaming.alerting.metrics import ConsumerMetrics
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Outgoing
from tests.pipeline.builders import feature

PARTITIONS = 2


class Killed(BaseException):
    """Stands for kill -9: nothing of the process goes on."""


@dataclass(slots=True)
class Model:
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
        self.kill_at = ""

    def start(self, **changes: Any) -> tuple[RequestLoop, MemoryRequests]:
        log = MemoryRequests(self.topic, self.committed, self.out)
        loop = RequestLoop(
            requests=log,
            step=AlertStep(self.features, self.model, AlertLedger(self.kv)),
            metrics=ConsumerMetrics(CollectorRegistry()),
            unsubscribed=self.unsubscribed,
            settings=LoopSettings(**{"max_candidates": 10} | changes),
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
        value = encode(ScoreRequest(search=search, candidates=candidates, created_ms=0))
        self.topic.append(value, key=search_id.encode(), partition=sum(search_id.encode()) % PARTITIONS)

    def turns(self, loop: RequestLoop, count: int = 40, step_s: float = 0.3) -> None:
        for _ in range(count):
            self.now_s += step_s
            loop.turn()

    def alerts(self) -> list[Alert]:
        return [decode(Alert, m.value or b"") for m in self.out if m.topic == topics.ALERTS.name]

    def pairs(self) -> Counter[tuple[str, str]]:
        return Counter((alert.search_id, alert.posting_id) for alert in self.alerts())

    def letters(self) -> list[Outgoing]:
        return [m for m in self.out if m.topic == topics.DLQ.name]

    def lag(self) -> int:
        return sum(len(m) - self.committed.get(p, 0) for p, m in enumerate(self.topic.partitions))


def test_offsets_commit_with_the_alerts_or_neither() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    loop, log = world.start()
    log.refuse = 3
    loop.turn()
    assert (world.alerts(), world.committed) == ([], {})
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}
    assert world.lag() == 0


def test_an_outage_is_waited_out_with_paused_partitions_and_leaves_no_dead_letter() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.model.away = True
    loop, log = world.start()
    world.turns(loop, count=3000)
    assert log.paused
    assert len(world.model.calls) < 400  # 15 minutes; at most one attempt in 2.5 s on average
    assert world.lag() == 1
    world.model.away = False
    world.turns(loop, count=60)
    assert world.pairs() == {("a", "p0"): 1}
    assert world.letters() == []


def test_what_was_settled_before_an_outage_is_committed_in_the_same_turn() -> None:
    world = World()
    world.store(0)
    for n in range(20):
        world.request("a", 0 if n < 10 else 1)
    world.store(1, title="Refuser nurse")
    loop, _ = world.start()

    class HalfAway(Model):
        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            self.away = any("Refuser" in item.title for item in items)
            return Model.score_many(self, query, items, deadline_s)

    world.model = HalfAway()
    loop, _ = world.start()
    loop.turn()
    assert sum(world.committed.values()) == 8
    assert world.pairs() == {("a", "p0"): 1}


def test_a_request_waits_for_missing_features_and_keeps_its_partitions_order() -> None:
    world = World()
    world.store(0)
    world.request("a", 7)
    world.request("a", 0)
    loop, _ = world.start(defer_s=60.0)
    world.turns(loop)
    assert world.alerts() == []
    assert world.lag() == 2
    world.store(7)
    world.turns(loop)
    assert world.pairs() == {("a", "p7"): 1, ("a", "p0"): 1}


def test_another_partition_does_not_wait() -> None:
    world = World()
    world.store(0)
    world.request("a", 7)
    world.request("b", 0)
    loop, _ = world.start(defer_s=60.0)
    loop.turn()
    assert world.pairs() == {("b", "p0"): 1}


def test_features_that_never_come_are_given_up_and_counted() -> None:
    world = World()
    world.store(0)
    for _ in range(30):
        world.request("a", 7, 0)
    loop, _ = world.start(defer_s=5.0)
    world.turns(loop)
    assert world.lag() == 0
    assert world.pairs() == {("a", "p0"): 1}
    assert loop.metrics.candidates.labels("deferred")._value.get() == 30


def test_a_pair_given_up_after_a_crash_may_still_alert_for_a_later_request() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.kill_at = "after-ledger"
    loop, _ = world.start()
    _until_killed(world, loop)
    # the text changes, its summary is not there yet: the first request is given up
    world.store(0, version=2, input_hash=b"j" * 16, summary_version=1)
    loop, _ = world.start()
    world.turns(loop)
    assert (world.lag(), world.alerts()) == (0, [])
    world.store(0, version=2, input_hash=b"j" * 16, summary_hash=b"j" * 16)
    world.request("a", 0, version=2)
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}


def test_a_search_that_comes_back_after_an_unsubscribe_still_gets_its_alert() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.kill_at = "after-ledger"
    loop, _ = world.start()
    _until_killed(world, loop)
    world.gone.add("a")
    loop, _ = world.start()
    world.turns(loop)
    assert (world.lag(), world.alerts()) == (0, [])
    world.gone.clear()
    world.request("a", 0)
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}


def test_poison_leaves_alone_and_its_neighbours_alert() -> None:
    world = World()
    for n in range(4):
        world.store(n)
    world.store(2, version=2, title="nurse poison")
    world.model.refuses = {"nurse poison"}
    world.request("a", 0, 1, 2, 3)
    loop, _ = world.start()
    world.turns(loop)
    assert set(world.pairs()) == {("a", f"p{n}") for n in (0, 1, 3)}
    (letter,) = world.letters()
    assert [c.posting_id for c in decode(ScoreRequest, letter.value or b"").candidates] == ["p2"]
    assert (letter.headers["topic"], letter.headers["offset"]) == (b"score.requests", b"0")


def test_broken_requests_are_dead_letters_and_stop_nothing() -> None:
    world = World()
    world.store(0)
    world.topic.append(b"\x00", partition=1)
    world.topic.append(None, partition=1)
    search = SavedSearch(search_id="nan", query="nurse", threshold=float("nan"))
    nan = encode(ScoreRequest(search=search, candidates=(), created_ms=0))
    world.topic.append(nan, partition=1)
    world.request("a", 0)
    loop, _ = world.start()
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}
    assert [m.value for m in world.letters()] == [b"\x00", b"", nan]


def test_a_long_request_goes_back_in_parts_that_lose_no_candidate() -> None:
    world = World()
    for n in range(35):
        world.store(n)
    world.request("a", *range(35))
    loop, _ = world.start()
    world.turns(loop)
    assert world.pairs() == {("a", f"p{n}"): 1 for n in range(35)}
    assert max(count for _, count in world.model.calls) <= 35
    assert world.lag() == 0


def test_an_alert_larger_than_its_topic_is_a_dead_letter() -> None:
    world = World()
    world.store(0, title="nurse " + "x" * 1_100_000)
    world.request("a", 0)
    loop, _ = world.start()
    world.turns(loop)
    assert world.alerts() == []
    assert len(world.letters()) == 1
    assert world.lag() == 0


def _until_killed(world: World, loop: RequestLoop) -> None:
    try:
        world.turns(loop)
    except Killed:
        return
    raise AssertionError("nothing killed it")


NUMBERS = st.integers(0, 1)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NUMBERS, st.sampled_from(["passes", "fails", "pending", "closed"])),
        st.tuples(st.just("turns"), st.integers(1, 12), st.just("")),
        st.tuples(st.just("kill"), st.just(0), st.sampled_from(["", "after-ledger"])),
        st.tuples(st.just("away"), st.integers(0, 1), st.just("")),
        st.tuples(st.just("refuse"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("repeat"), NUMBERS, st.just("")),
    ),
    max_size=40,
)


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
        """One event: the text passes, fails or awaits its summary, or the posting closes; the next opens it."""
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


@pytest.mark.timeout(60)
@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_whatever_happens_each_pair_that_passes_in_the_end_alerts_once_in_its_opening(
    actions: list[tuple[str, int, str]],
) -> None:
    play = Play()
    for action in actions:
        play.act(*action)
    play.end()
    alerts = play.world.alerts()
    ids = Counter(alert.alert_id for alert in alerts)
    assert set(ids.values()) <= {1}
    assert all((alert.posting_id, alert.version) in play.passed for alert in alerts)
    finals = [held for number in range(2) if (held := play.held(number)) is not None]
    passing = [held for held in finals if held.state is State.OPEN and held.title == "nurse"]
    for held in passing:
        for search_id in "ab":
            assert alert_id(search_id, held.posting_id, held.episode) in ids
    assert play.world.lag() == 0
    assert play.world.letters() == []
