"""A wall clock that is set back an hour: every interval is measured by a clock that only goes on."""

import ast
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typing_extensions import override

from models.prompts import Item
from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.alert import AlertStep
from pipeline.local import LocalPath
from pipeline.percolation.percolator import Percolator
from pipeline.scoring.cached import CachedScorer
from pipeline.windows import Windows, WindowSettings
from schemas.codec import decode, encode
from schemas.events import BrokenLine, read_events
from schemas.records import PostingUpdate, SavedSearch, ScoreRequest
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.memory import MemoryStore
from storage.scores import ScoreCache, StoredScore
from streaming.alerting.loop import RequestLoop
from streaming.alerting.memory_log import MemoryRequests
from streaming.alerting.metrics import ConsumerMetrics
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Outgoing
from streaming.matching.loop import MatchLoop
from streaming.matching.memory_log import MemoryFeatures
from streaming.matching.metrics import MatcherMetrics
from streaming.process.health import LoopHealth
from streaming.searches.memory_feed import MemorySearchFeed
from tests.pipeline.builders import feature

ROOT = Path(__file__).parents[2]
HOUR_S = 3600.0
#: What a module that reads the wall clock has somewhere; few are to be parsed.
MAYBE = re.compile(r"time\.time|from time import|\.(now|utcnow|today)\b")
#: Where the wall clock is read, and why: every one of these means an instant that others read, too.
INSTANTS = {
    "pipeline/windows.py": "the request's created_ms, beside the broker's time",
    "pipeline/local.py": "created_ms, expiry in a store",
    "pipeline/alert.py": "when a pair was left out, for `nearline explain`",
    "pipeline/featurize.py": "how far in the future an event may be",
    "batch/worker.py": "the same",
    "streaming/alerting/sent_alerts.py": "how old a message of a topic is, by the broker's time",
    "storage/dry_run.py": "expiry in a store",
    "storage/lmdb/store.py": "expiry in a store",
    "storage/opening.py": "expiry in a store",
    "storage/couchbase/store.py": "expiry in a store",
    "storage/scores.py": "expiry in a store",
    "streaming/alerting/loop.py": "latency, beside the broker's time",
    "streaming/features/publisher.py": "source_ts, beside the broker's time",
    "models/server/routes/scoring.py": "`created` of OpenAI's interface",
    "models/server/routes/completions.py": "`created` of OpenAI's interface",
    "models/server/routes/overview.py": "`created` of OpenAI's interface",
    "nearline/cli/stream.py": "when the shell began to set up, told by another process",
    "nearline/demo/run.py": "the same",
    "nearline/demo/check.py": "expiry in a store",
    "nearline/cli/page.py": "expiry in a store",
    "nearline/page/local.py": "when a thing happened, as a person reads it",
    "streaming/searching/loop.py": "how long ago a record was written, by the broker's time",
    "streaming/search_service.py": "the day that a campaign's budget is for",
    "nearline/cli/models.py": "the date on a model's card",
    "models/smollm2.py": "the same",
    "training/rl/verl_backend/launch.py": "a file's name",
    "batch/state_lock.py": "the age of another process's note in a remote folder",
}


class Clocks:
    """A wall clock that somebody sets, and a monotonic one that nobody can."""

    def __init__(self) -> None:
        self.wall_s, self.monotonic_s = 1_780_000_000.0, 50.0

    def wall(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds

    def set_back(self) -> None:
        self.wall_s -= HOUR_S


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_the_matcher_sends_its_windows_and_commits_at_their_time(clocks: Clocks) -> None:
    searches, arrived = MemoryTopic(topics.SEARCHES.name), MemoryTopic(topics.FEATURES.name)
    searches.append(encode(SavedSearch(search_id="s", query="nurse")), key=b"s")
    out, log = list[Outgoing](), None
    log = MemoryFeatures(arrived, {}, out)
    loop = MatchLoop(
        feed=MemorySearchFeed(searches),
        features=log,
        new_matcher=Percolator,
        windows=Windows(WindowSettings(window_s=1.0), clocks.wall),
        stored=lambda: iter(()),
        metrics=MatcherMetrics(CollectorRegistry()),
        clock=clocks.monotonic,
    )
    loop.run(lambda: True)
    loop.turn()
    arrived.append(encode(feature(posting_id="p", title="Nurse")), key=b"p")
    loop.turn()
    clocks.set_back()
    clocks.pass_s(1.0)
    loop.turn()
    (request,) = [decode(ScoreRequest, m.value or b"") for m in out]
    assert request.created_ms == int(clocks.wall_s * 1000)
    assert [done.offset for done in log.committed.values()] == [1]


def test_the_alert_consumer_goes_on(clocks: Clocks) -> None:
    topic, out, committed = MemoryTopic(topics.SCORE_REQUESTS.name), list[Outgoing](), dict[int, int]()
    kv = MemoryStore(clocks.wall)
    loop = RequestLoop(
        requests=MemoryRequests(topic, committed, out),
        step=AlertStep(FeatureStore(kv), LexicalRanker(), AlertLedger(kv)),
        metrics=ConsumerMetrics(CollectorRegistry()),
        clock=clocks.monotonic,
        utc_s=clocks.wall,
    )
    search = SavedSearch(search_id="s", query="nurse")
    for _ in range(2):
        topic.append(encode(ScoreRequest(search=search, candidates=(), created_ms=1)), key=b"s")
        loop.turn()
        clocks.set_back()
        clocks.pass_s(1.0)
    assert committed == {0: 2}


def test_a_run_in_one_process_gives_the_same_alerts(clocks: Clocks) -> None:
    events = list(read_events(ROOT / "nearline" / "sample" / "stream.jsonl"))[:120]
    searches = [
        SavedSearch(search_id="s", query="nurse", threshold=0.1),
        SavedSearch(search_id="t", query="engineer", threshold=0.1),
    ]
    assert (
        _alerts(clocks, events, searches, clocks.set_back)
        == _alerts(Clocks(), events, searches, lambda: None)
        != set()
    )


def _alerts(
    clocks: Clocks,
    events: list[PostingUpdate | BrokenLine],
    searches: list[SavedSearch],
    between: Callable[[], None],
) -> set[str]:
    path = LocalPath(MemoryStore(clocks.wall), InstantSummarizer(), LexicalRanker(), clock=clocks.wall)
    path.subscribe(searches)
    path.push(events[:60])
    between()
    path.push(events[60:])
    return {alert.alert_id for alert in path.report.alerts}


def test_a_loop_does_not_look_as_if_it_stood_still_nor_as_if_it_had_turned(clocks: Clocks) -> None:
    health = LoopHealth(CollectorRegistry(), limit_s=120.0, clock=clocks.monotonic)
    clocks.set_back()
    clocks.pass_s(100.0)
    assert health.age_s() == 100.0
    clocks.pass_s(100.0)
    assert health.stands_still()


def test_a_cached_score_lives_no_longer_than_it_should(clocks: Clocks) -> None:
    cache = ScoreCache(MemoryStore(clocks.wall), ttl_s=900.0, clock=clocks.wall)
    cache.put_many([(b"k", StoredScore(0.5, 0.1, 800.0, 900.0))])
    assert [stored is None for stored in cache.get_many([b"k"])] == [False]
    clocks.set_back()
    assert cache.get_many([b"k"]) == [None]


def test_scores_in_memory_and_their_leases_do_not_follow_the_wall_clock(clocks: Clocks) -> None:
    kv = MemoryStore(clocks.wall)
    asked = Counting()
    scorer = CachedScorer(asked, ScoreCache(kv, clock=clocks.wall), clock=clocks.monotonic)
    item = Item(title="Nurse", company=None, location=None, employment_type=None, remote=None, text="")
    for _ in range(2):
        scorer.score_many("nurse", [item], 5.0)
        clocks.set_back()
        clocks.pass_s(300.0)
    assert asked.calls == 1
    clocks.pass_s(300.0)
    scorer.score_many("nurse", [item], 5.0)
    assert asked.calls == 2, "15 minutes have passed"


class Counting(LexicalRanker):
    """The instant ranker, which counts its calls."""

    calls = 0

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        self.calls += 1
        return super().score_many(query, items, deadline_s)


@pytest.mark.parametrize("loop", [MatchLoop, RequestLoop])
def test_a_loops_clock_is_the_monotonic_one_unless_it_is_told_otherwise(loop: type) -> None:
    (clock,) = [field.default for field in fields(loop) if field.name == "clock"]
    assert clock is time.monotonic


def wall_clock_readers() -> Iterator[str]:
    """Modules of the product that name `time.time`, `datetime.now` or the like."""
    for root in ("schemas", "storage", "models", "pipeline", "streaming", "batch", "training", "nearline"):
        for path in sorted((ROOT / root).rglob("*.py")):
            text = path.read_text()
            if MAYBE.search(text) and any(map(_reads_wall_clock, ast.walk(ast.parse(text)))):
                yield str(path.relative_to(ROOT))


def _reads_wall_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(name.name in {"time", "time_ns"} for name in node.names)
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    name = (node.value.id, node.attr)
    return name in {
        ("time", "time"),
        ("time", "time_ns"),
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("date", "today"),
    }


def test_the_wall_clock_is_read_only_where_an_instant_is_meant() -> None:
    assert set(wall_clock_readers()) == set(INSTANTS)
