"""The alert consumer under overload: late requests are cut, shaped calls leave requests in their topic."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from models.client.responses import ServerBusy
from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from pipeline.alert import AlertStep, Fate
from pipeline.control.admission import Admission
from pipeline.control.admitted_ranker import AdmittedRanker
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings
from pipeline.control.gate import Gate
from pipeline.control.policies import AdmissionSettings, ClassPolicy
from schemas.codec import decode
from schemas.errors import ConfigError
from schemas.keys import alert_id
from schemas.records import ScoreRequest
from schemas.traffic import TrafficClass
from storage.cuts import Cut, CutNotes
from storage.ledger import AlertLedger
from streaming.alerting.loop import RequestLoop, RequestLoopSettings
from streaming.alerting.memory_log import MemoryRequests, MemorySentAlerts
from streaming.alerting.metrics import ConsumerMetrics
from streaming.alerting.shaping import MOST, Lateness, ShapingSettings
from streaming.kafka import topics
from streaming.kafka.messages import REQUEST_CANDIDATES, REQUEST_WAITED_MS
from tests.streaming.alerting.play import World

LATE_S = 100.0


class Busy(Ranker):
    """Answers 503 as long as `refusals` last; otherwise each call takes a time of the world's clock."""

    model = "lexical@1"

    def __init__(self, world: World, seconds_an_item: float = 0.0) -> None:
        self.refusals, self.calls = 0, list[int]()
        self._world, self._seconds_an_item = world, seconds_an_item

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        self.calls.append(len(items))
        if self.refusals:
            self.refusals -= 1
            raise ServerBusy("503", retry_after_s=3.0)
        self._world.now_s += self._seconds_an_item * len(items)
        return LexicalRanker().score_many(query, items, deadline_s)


def started(
    world: World, ranker: Ranker, lateness: Lateness | None = None
) -> tuple[RequestLoop, MemoryRequests]:
    log = MemoryRequests(world.topic, world.committed, world.out)
    ledger = AlertLedger(world.kv, sent=MemorySentAlerts(lambda: world.out))
    loop = RequestLoop(
        requests=log,
        step=AlertStep(world.features, ranker, ledger, cuts=CutNotes(world.kv), utc_s=lambda: world.now_s),
        metrics=ConsumerMetrics(CollectorRegistry()),
        settings=RequestLoopSettings(max_candidates=10),
        lateness=lateness or Lateness(LATE_S, 2),
        clock=lambda: world.now_s,
        utc_s=lambda: world.now_s,
    )
    return loop, log


def nearline(world: World, ranker: Ranker, policy: ClassPolicy, aimd: AimdSettings) -> AdmittedRanker:
    policies = {**AdmissionSettings().policies, TrafficClass.NEARLINE: policy}
    gate = Gate(Admission(AimdLimit(aimd), AdmissionSettings(policies=policies)), lambda: world.now_s)
    return AdmittedRanker(ranker, gate, TrafficClass.NEARLINE, monotonic=lambda: world.now_s)


def filled(world: World, count: int = 8) -> None:
    """Postings that all pass for "nurse"; the even ones have it in their title, so that they fit better."""
    for n in range(count):
        world.store(n, title=f"nurse {n}" if n % 2 == 0 else f"carer {n}", summary="a nurse on nights")


def late(least: int) -> Lateness:
    """A consumer whose requests were far too late for long."""
    lateness = Lateness(LATE_S, least)
    for step in range(200):
        lateness.observe(float(step), [10 * LATE_S])
    assert lateness.depth == least
    return lateness


def ends(world: World) -> dict[int, int]:
    return {number: len(messages) for number, messages in enumerate(world.topic.partitions)}


def note(world: World, search_id: str, posting_id: str) -> Cut | None:
    (record,) = world.features.get_many([posting_id])
    assert record is not None
    return CutNotes(world.kv).get(alert_id(search_id, posting_id, record.episode))


def not_scored(loop: RequestLoop) -> float:
    return float(loop.metrics.candidates.labels(Fate.NOT_SCORED)._value.get())


def test_requests_in_time_are_never_cut() -> None:
    world = World()
    filled(world)
    loop, _ = started(world, world.model)
    for _ in range(50):
        world.now_s += 10.0
        world.topic.partitions[0].clear()
        world.committed.clear()
        world.request("a", *range(8))
        loop.turn()
    assert not_scored(loop) == 0
    assert loop.lateness.depth is None


def test_late_requests_score_the_candidates_that_fit_best_and_note_the_others() -> None:
    world = World()
    filled(world)
    world.request("b", *range(8))
    world.now_s = 10 * LATE_S
    loop, _ = started(world, world.model, late(2))
    loop.turn()
    assert world.pairs() == {("b", "p0"): 1, ("b", "p2"): 1}
    assert (world.lag(), not_scored(loop)) == (0, 6)
    cut = note(world, "b", "p7")
    assert cut is not None
    assert (cut.depth, cut.candidates, cut.at_ms) == (2, 8, int(world.now_s * 1000))
    assert note(world, "b", "p0") is None


def test_the_depth_is_whole_again_once_requests_are_in_time() -> None:
    world = World()
    filled(world)
    loop, _ = started(world, world.model, late(2))
    world.now_s = 10 * LATE_S
    world.turns(loop, count=10)
    assert loop.metrics.depth._value.get() == loop.lateness.depth
    world.turns(loop, count=400)
    assert loop.lateness.depth is None
    assert loop.metrics.depth._value.get() == MOST


def test_a_backlog_that_stays_is_cut_within_minutes() -> None:
    world = World()
    filled(world)
    loop, _ = started(world, world.model)
    world.request("b", *range(8))
    first = world.topic.partitions[0][0].value
    for step in range(300):
        world.now_s = 10 * LATE_S + step
        world.topic.append(first, partition=0)
        loop.turn()
    assert loop.lateness.depth == 2
    assert not_scored(loop) > 100


def test_a_wall_clock_set_forward_by_hours_cuts_nothing() -> None:
    world, ahead_s = World(), [0.0]
    filled(world, 20)
    loop, _ = started(world, world.model)
    loop.utc_s = lambda: world.now_s + ahead_s[0]
    for step in range(100):
        loop.arrivals.note(world.now_s, ends(world))
        world.request("a", *range(8))
        world.request("b", *range(20))  # which is split, so that its parts come anew
        world.turns(loop, count=2)
        ahead_s[0] = 7 * 3_600.0 if step > 10 else 0.0
    assert (not_scored(loop), loop.lateness.depth) == (0, None)


def test_a_backlog_is_cut_although_the_wall_clock_was_set_back_by_hours() -> None:
    world = World()
    filled(world)
    loop, _ = started(world, world.model)
    loop.utc_s = lambda: world.now_s - 7 * 3_600.0
    loop.arrivals.note(world.now_s, ends(world))
    for _ in range(2_000):
        world.request("b", *range(8))
    loop.arrivals.note(world.now_s + 1.0, ends(world))
    world.now_s += 10 * LATE_S
    world.turns(loop, count=100, step_s=1.0)
    assert not_scored(loop) > 100


def test_parts_of_a_request_tell_how_long_it_had_waited() -> None:
    world = World()
    filled(world, 20)
    loop, _ = started(world, world.model)
    loop.arrivals.note(world.now_s, ends(world))
    world.request("a", *range(20))
    world.now_s += 60.0
    loop.turn()
    waited = [m.headers.get(REQUEST_WAITED_MS) for messages in world.topic.partitions for m in messages]
    assert waited == [b"60000", b"60000", None]


def test_a_lateness_of_0_never_cuts() -> None:
    lateness = Lateness(0.0)
    for step in range(100):
        lateness.observe(float(step), [1e6])
    assert (lateness.depth, lateness.state()) == (None, None)


def test_a_part_of_a_long_request_scores_its_part_of_the_depth() -> None:
    world = World()
    filled(world, 20)
    world.request("a", *range(20))
    world.now_s = 0.0
    loop, _ = started(world, world.model, late(4))
    loop.turn()
    parts = [m for messages in world.topic.partitions for m in messages if REQUEST_CANDIDATES in m.headers]
    assert [len(decode(ScoreRequest, part.value or b"").candidates) for part in parts] == [10, 10]
    assert {part.headers[REQUEST_CANDIDATES] for part in parts} == {b"20"}
    loop.turn()
    assert len(world.alerts()) == 4


def test_a_busy_server_leaves_requests_in_the_topic_and_the_member_in_its_group() -> None:
    world = World()
    filled(world)
    world.request("a", *range(8))
    world.request("b", *range(8))
    ranker = Busy(world)
    ranker.refusals = 1
    polite = nearline(world, ranker, ClassPolicy(), AimdSettings(start=1000.0))
    loop, log = started(world, polite)
    world.turns(loop, count=5)
    assert log.paused == {0, 1}
    assert (world.alerts(), world.lag(), len(ranker.calls)) == ([], 2, 1)
    world.turns(loop, count=10)
    assert not log.paused
    assert len(world.alerts()) == 16
    assert loop.metrics.shaping_pauses._value.get() == 1
    assert loop.metrics.outages.labels("ModelUnavailable")._value.get() == 0


def test_a_rate_spreads_the_calls_and_loses_nothing() -> None:
    world = World()
    filled(world)
    for _ in range(20):
        world.request("a", *range(8))
    for n in range(20):
        world.request(f"c{n}", *range(8))
    ranker = Busy(world)
    policy = ClassPolicy(rate_per_s=4.0, burst=8.0, borrows=False)
    loop, _ = started(world, nearline(world, ranker, policy, AimdSettings(start=1000.0)))
    loop._slice = 1
    began_s = world.now_s
    while world.lag() and world.now_s < 1e4:
        world.turns(loop, count=1)
    assert world.lag() == 0
    assert {pair[0] for pair in world.pairs()} == {"a"} | {f"c{n}" for n in range(20)}
    assert len(ranker.calls) > 3
    assert sum(ranker.calls) <= 4.0 * (world.now_s - began_s) + 8.0
    assert loop.metrics.shaping_pauses._value.get() > 3


def test_slow_calls_hold_fewer_candidates_and_fast_ones_more_again() -> None:
    world = World()
    filled(world, 8)
    ranker = Busy(world, seconds_an_item=1.0)
    aimd = AimdSettings(start=1000.0, least=2.0, most=1000.0, bound_s=3.0, ratio=0.7, step=1.0)
    loop, _ = started(world, nearline(world, ranker, ClassPolicy(), aimd), Lateness(0.0))
    for n in range(30):
        world.request(f"s{n}", *range(8))
    world.turns(loop, count=60)
    assert ranker.calls[0] >= 8
    assert set(ranker.calls[-4:]) <= {1, 2, 3, 4}
    assert world.lag() == 0
    assert len(world.pairs()) == 30 * 8


@pytest.mark.parametrize(
    ("setting", "value"),
    [("late_s", -1.0), ("late_s", 86_400.0), ("late_s", float("nan")), ("call_s", 0.0), ("candidates_per_s", -1.0),
     ("least_depth", 0)],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=setting):
        ShapingSettings(**{setting: value})  # type: ignore[arg-type]


def test_the_gate_of_the_settings_keeps_their_rate() -> None:
    state = ShapingSettings(candidates_per_s=0.5).gate().state()
    assert state.limit.limit == MOST
    assert topics.SCORE_REQUESTS.retention_ms > ShapingSettings().late_s * 1000
