"""The matcher's loop without a broker: commits, unsubscribes, store passes, kills and rebalances."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from typing_extensions import override

from pipeline.percolation.matcher import Matcher, Matches
from pipeline.percolation.meaning import QueryVector
from pipeline.percolation.percolator import Percolator
from pipeline.windows import Windows, WindowSettings
from schemas.codec import Codec, decode, encode
from schemas.errors import StoreUnavailable
from schemas.records import FeatureRecord, SavedSearch, ScoreRequest
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Outgoing, size_bytes
from streaming.matching.kafka_log import parse_searches_metadata, searches_metadata
from streaming.matching.log import PartitionProgress
from streaming.matching.loop import MatchLoop, MatchLoopSettings
from streaming.matching.memory_log import MemoryFeatures
from streaming.matching.messages import request_messages
from streaming.matching.metrics import MatcherMetrics
from streaming.searches.memory_feed import MemorySearchFeed
from streaming.searches.share import EVERY_SEARCH
from tests.pipeline.builders import feature

PARTITIONS = 2
SHARES: list[set[int]] = [set(), {0}, {1}, {0, 1}]


class World:
    """What survives a matcher: topics, the store, commits, what was sent. Time stands still unless moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.searches = MemoryTopic(topics.SEARCHES.name)
        self.features = MemoryTopic(topics.FEATURES.name, PARTITIONS)
        self.stored: dict[str, FeatureRecord] = {}
        self.committed: dict[int, PartitionProgress] = {}
        self.out: list[Outgoing] = []
        self.store_fails = False
        self.requests_id = 0

    def start(
        self, new_matcher: Callable[[], Matcher] = Percolator, **changes: Any
    ) -> tuple[MatchLoop, MemoryFeatures]:
        log = MemoryFeatures(self.features, self.committed, self.out)
        loop = MatchLoop(
            feed=MemorySearchFeed(self.searches),
            features=log,
            new_matcher=new_matcher,
            windows=Windows(WindowSettings(window_s=changes.pop("window_s", 0.1))),
            query_vectors=changes.pop("query_vectors", None),
            share=changes.pop("share", EVERY_SEARCH),
            stored=self.scan,
            metrics=MatcherMetrics(CollectorRegistry()),
            settings=MatchLoopSettings(**{"commit_s": 1.0, "pass_postings": 3} | changes),
            clock=lambda: self.now_s,
            topic_ids=self.topic_ids,
        )
        loop.run(lambda: True)  # reads nothing and commits nothing new
        return loop, log

    def create_anew(self, which: str, searches: set[str]) -> None:
        """Delete a topic and create it again: all requests are gone, and with `searches` all subscriptions too."""
        self.out.clear()
        if which == "searches":
            self.searches.create_anew()
            searches.clear()
        else:
            self.requests_id += 1

    def topic_ids(self) -> dict[str, str]:
        return {"searches": f"s{self.searches.topic_id}", "score.requests": f"r{self.requests_id}"}

    def scan(self) -> Iterator[FeatureRecord]:
        for posting_id in sorted(self.stored):
            if self.store_fails:
                raise StoreUnavailable("the store is away")
            yield self.stored[posting_id]

    def subscribe(self, search_id: str, query: str = "nurse") -> None:
        search = SavedSearch(search_id=search_id, query=query)
        self.searches.append(encode(search), key=search_id.encode(), timestamp_ms=5)

    def unsubscribe(self, search_id: str) -> None:
        self.searches.append(None, key=search_id.encode())

    def store(self, posting_id: str, **fields: Any) -> FeatureRecord:
        record = feature(posting_id=posting_id, title="nurse", **fields)
        self.stored[posting_id] = record
        return record

    def arrive(self, posting_id: str, *, published: bool) -> None:
        """Store a posting with its message, or without one, as a backfill does before anyone subscribed."""
        if published:
            self.publish(posting_id)
        elif posting_id not in self.stored:
            self.store(posting_id)

    def publish(self, posting_id: str, **fields: Any) -> None:
        record = self.store(posting_id, **fields)
        partition = sum(posting_id.encode()) % PARTITIONS
        self.features.append(encode(record), partition=partition, timestamp_ms=7, headers={"source_ts": b"6"})

    def turns(self, loop: MatchLoop, count: int = 8) -> None:
        for _ in range(count):
            self.now_s += 0.5
            loop.turn()

    def requests(self) -> list[ScoreRequest]:
        return [
            decode(ScoreRequest, m.value or b"") for m in self.out if m.topic == topics.SCORE_REQUESTS.name
        ]

    def pairs(self) -> set[tuple[str, str]]:
        return {(r.search.search_id, c.posting_id) for r in self.requests() for c in r.candidates}


def test_candidates_of_one_search_leave_as_one_request_with_the_updates_broker_time() -> None:
    world = World()
    world.subscribe("a")
    loop, _ = world.start()
    loop.turn()
    for n in range(4):
        world.publish(f"p{n}")
    world.turns(loop)
    (request,) = world.requests()
    assert {c.posting_id for c in request.candidates} == {"p0", "p1", "p2", "p3"}
    assert {c.updated_ms for c in request.candidates} == {6}


def test_nothing_is_committed_before_the_windows_that_hold_it_are_out() -> None:
    world = World()
    world.subscribe("a")
    loop, _ = world.start(window_s=600.0, commit_s=600.0)
    world.publish("p0")
    world.turns(loop)
    assert world.pairs() == set()
    assert world.committed == {}
    world.now_s += 600
    world.turns(loop)
    assert world.pairs() == {("a", "p0")}
    assert sum(progress.offset for progress in world.committed.values()) == 1


def test_an_unsubscribe_cancels_what_waits_and_a_changed_search_meets_the_store_in_its_new_words() -> None:
    world = World()
    world.subscribe("a")
    world.subscribe("b")
    loop, _ = world.start(window_s=600.0, commit_s=600.0)
    world.publish("p0")
    world.turns(loop)
    world.unsubscribe("a")
    world.subscribe("b", query="nurse ward")
    world.turns(loop)
    world.now_s += 600
    world.turns(loop)
    (request,) = world.requests()
    assert (request.search.search_id, request.search.query) == ("b", "nurse ward")


def test_an_unchanged_search_sent_again_meets_nothing_again() -> None:
    world = World()
    world.store("p0")
    world.subscribe("a")
    loop, _ = world.start()
    world.turns(loop)
    world.subscribe("a")
    world.turns(loop)
    assert len(world.requests()) == 1


def test_a_stored_posting_is_met_with_the_searches_time_since_no_update_caused_it() -> None:
    world = World()
    world.store("p0")
    world.subscribe("a")
    loop, _ = world.start()
    world.turns(loop)
    assert world.requests()[0].candidates[0].updated_ms == 5


def test_matching_goes_on_while_the_store_cannot_be_read_and_the_meeting_is_made_up_for() -> None:
    world = World()
    world.store("old")
    world.store_fails = True
    world.subscribe("a")
    loop, _ = world.start()
    world.publish("new")
    world.turns(loop)
    assert world.pairs() == {("a", "new")}
    world.store_fails = False
    world.turns(loop, 20)
    assert world.pairs() == {("a", "new"), ("a", "old")}


def test_another_instances_postings_are_not_met() -> None:
    world = World()
    for n in range(10):
        world.store(f"p{n}")
    loop, log = world.start()
    log.rebalance({0})
    world.subscribe("a")
    world.turns(loop)
    assert world.pairs() == {("a", p) for p in world.stored if sum(p.encode()) % PARTITIONS == 0}


def test_a_lost_group_keeps_nothing_from_being_sent_and_commits_nothing() -> None:
    world = World()
    world.subscribe("a")
    loop, log = world.start()
    log.refuse_commits = True
    world.publish("p0")
    world.turns(loop)
    assert world.pairs() == {("a", "p0")}
    assert world.committed == {}


def test_broken_messages_become_dead_letters_that_say_where_they_stood() -> None:
    world = World()
    world.searches.append(b"?", key=b"a")
    world.searches.append(encode(SavedSearch(search_id="a", query="nurse")), key=b"b")
    world.features.append(b"\xc3\x01?", partition=1)
    loop, _ = world.start()
    world.turns(loop)
    letters = {(m.headers["topic"], m.headers["partition"], m.headers["offset"]) for m in world.out}
    assert letters == {
        (b"searches", b"0", b"0"),
        (b"searches", b"0", b"1"),
        (b"postings.features", b"1", b"0"),
    }
    again, _ = world.start()
    world.turns(again)
    assert len(world.out) == 3


@pytest.mark.parametrize(
    "fields",
    [{"threshold": float("nan")}, {"threshold": 1.5}, {"threshold": -0.1}, {"top_k": -1}, {"search_id": ""}],
)
def test_a_search_that_means_nothing_is_a_dead_letter(fields: dict[str, Any]) -> None:
    world = World()
    search = replace(SavedSearch(search_id="a", query="nurse"), **fields)
    world.searches.append(encode(search), key=search.search_id.encode())
    world.publish("p0")
    loop, _ = world.start()
    world.turns(loop)
    assert [m.topic for m in world.out] == [topics.DLQ.name]


def test_a_request_too_large_for_its_topic_is_halved_and_loses_no_candidate() -> None:
    candidates = tuple(replace(_candidate(), posting_id=f"{n}-" + "x" * 30_000) for n in range(100))
    search = SavedSearch(search_id="a", query="nurse")
    request = ScoreRequest(search=search, candidates=candidates, created_ms=0)
    messages = list(request_messages(request, Codec()))
    assert all(size_bytes(m) <= topics.SCORE_REQUESTS.max_bytes for m in messages)
    sent = [c for m in messages for c in decode(ScoreRequest, m.value or b"").candidates]
    assert sent == list(candidates)


def test_one_candidate_too_large_for_the_topic_is_a_dead_letter() -> None:
    candidate = replace(_candidate(), posting_id="x" * 2_000_000)
    request = ScoreRequest(
        search=SavedSearch(search_id="a", query="nurse"), candidates=(candidate,), created_ms=0
    )
    (message,) = request_messages(request, Codec())
    assert message.topic == topics.DLQ.name
    assert size_bytes(message) <= topics.DLQ.max_bytes


def test_what_the_commit_remembers_of_searches_comes_back_and_foreign_metadata_means_nothing_met() -> None:
    assert parse_searches_metadata(searches_metadata({0: 17, 3: 4}, {})) == {0: 17, 3: 4}
    assert parse_searches_metadata('{"searches":{"0":17}}') == {0: 17}, "as the version before wrote it"
    for foreign in ("", "{}", "null", "[1]", '{"searches": 3}', '{"searches": {"a": 1}}', "\x00"):
        assert parse_searches_metadata(foreign) == {}


def many(world: World, *, searches: int, postings: int = 8) -> None:
    for number in range(postings):
        world.store(f"p{number}")
    for number in range(searches):
        world.subscribe(f"s{number}")


@pytest.mark.parametrize("running", [True, False])
def test_a_search_in_a_topic_created_anew_meets_the_stored_postings(running: bool) -> None:
    world = World()
    many(world, searches=5)
    loop, _ = world.start()
    world.turns(loop, 20)
    assert len(world.pairs()) == 40
    world.out.clear()
    world.searches.create_anew()
    for number in range(6):  # the set is sent again, with a new search at an offset that was matched once
        world.subscribe(f"s{5 - number}")
    if not running:
        loop, _ = world.start()
    world.turns(loop, 20)
    assert world.pairs() == {(f"s{s}", f"p{p}") for s in range(6) for p in range(8)}


@pytest.mark.parametrize("running", [True, False])
def test_a_search_that_a_topic_created_anew_does_not_have_is_subscribed_no_more(running: bool) -> None:
    world = World()
    many(world, searches=2, postings=0)
    loop, _ = world.start()
    world.turns(loop)
    world.searches.create_anew()
    world.subscribe("s1")
    if not running:
        loop, _ = world.start()
    world.turns(loop)
    world.publish("p0")
    world.turns(loop)
    assert world.pairs() == {("s1", "p0")}


@pytest.mark.parametrize("running", [True, False])
def test_requests_lost_with_their_topic_are_made_again(running: bool) -> None:
    world = World()
    many(world, searches=2, postings=3)
    loop, _ = world.start()
    world.turns(loop)
    world.out.clear()
    world.requests_id += 1
    if not running:
        loop, _ = world.start()
    world.turns(loop)
    assert len(world.pairs()) == 6
    world.out.clear()
    world.turns(world.start()[0])
    assert world.pairs() == set(), "once for each creation"


def test_offsets_behind_the_end_of_the_searches_are_void_also_without_topic_ids() -> None:
    """As an older version committed them, and as in a cluster that was restored from an older copy."""
    world = World()
    many(world, searches=1, postings=4)
    world.committed = {p: PartitionProgress(offset=0, searches_matched={0: 50}) for p in range(PARTITIONS)}
    loop, _ = world.start()
    world.turns(loop)
    assert len(world.pairs()) == 4
    assert {tuple(p.searches_matched.items()) for p in world.committed.values()} == {((0, 1),)}


def test_features_that_stand_before_those_read_already_make_every_pair_be_requested_again() -> None:
    world = World()
    world.subscribe("a")
    loop, _ = world.start()
    for number in range(6):
        world.publish(f"p{number}")
    world.turns(loop, 20)
    world.out.clear()
    for partition in world.features.partitions:
        del partition[1:]  # the brokers' data are an older copy's
    world.publish("p9")
    world.turns(loop, 20)
    assert world.pairs() == {("a", posting) for posting in world.stored}


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 7)),
        st.tuples(st.just("store"), st.integers(0, 7)),
        st.tuples(st.just("subscribe"), st.integers(0, 2)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("rebalance"), st.integers(0, 3)),
        st.tuples(st.just("refuse"), st.booleans()),
        st.tuples(st.just("create anew"), st.sampled_from(["searches", "requests"])),
    ),
    max_size=40,
)


@pytest.mark.timeout(60)
@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_whatever_is_killed_every_open_posting_meets_every_search_in_the_end(
    actions: list[tuple[str, Any]],
) -> None:
    world = World()
    loop, log = world.start()
    searches: set[str] = set()
    for action, number in actions:
        match action:
            case "publish" | "store":
                world.arrive(f"p{number}", published=action == "publish" or bool(searches))
            case "subscribe":
                searches.add(f"s{number}")
                world.subscribe(f"s{number}")
            case "turn":
                world.turns(loop, number)
            case "kill":
                loop, log = world.start()
            case "rebalance":
                log.rebalance(SHARES[number])
            case "refuse":
                log.refuse_commits = number
            case "create anew":
                world.create_anew(number, searches)
    log.refuse_commits = False
    log.rebalance(range(PARTITIONS))
    world.turns(loop, 30)
    assert world.pairs() == {(s, p) for s in searches for p in world.stored}
    for partition, messages in enumerate(world.features.partitions):
        assert world.committed.get(partition, PartitionProgress(offset=0)).offset == len(messages)


def _candidate() -> Any:
    from schemas.records import Candidate

    return Candidate(posting_id="p", version=1, updated_ms=0)


class MatchesAll(Matcher):
    """Every posting is a candidate for every search, whatever their words."""

    def __init__(self) -> None:
        self.searches: dict[str, SavedSearch] = {}

    @override
    def put_search(self, search: SavedSearch, query: QueryVector | None = None) -> None:
        self.searches[search.search_id] = search

    @override
    def drop_search(self, search_id: str) -> None:
        self.searches.pop(search_id, None)

    @override
    def match_many(self, features: Sequence[FeatureRecord]) -> list[Matches]:
        return [Matches(worded=list(self.searches.values())) for _ in features]

    @override
    def vector_of(self, search_id: str) -> QueryVector | None:
        return None


def test_stored_and_new_postings_are_matched_by_the_matcher_that_the_loop_was_given() -> None:
    world = World()
    world.store("stored")
    world.subscribe("a", query="baker")
    loop, _ = world.start(MatchesAll)
    world.turns(loop)
    world.publish("new")
    world.turns(loop)
    assert world.pairs() == {("a", "stored"), ("a", "new")}
