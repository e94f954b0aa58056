"""Threads behind a gate: they wait for their turn, give up at their deadline, and calls go in admitted parts."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf

import pytest

from models.client.responses import ServerBusy
from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from pipeline.control.admission import Admission
from pipeline.control.admitted_ranker import AdmittedRanker
from pipeline.control.concurrency_limit import FixedLimit, Outcome
from pipeline.control.gate import Gate
from pipeline.control.partial_scores import PartialScores
from pipeline.control.policies import AdmissionSettings, ClassPolicy
from pipeline.control.work import Work
from schemas.errors import ModelDeferred, ModelUnavailable
from schemas.traffic import TrafficClass

ONLINE, NEARLINE, REFRESH = TrafficClass.ONLINE, TrafficClass.NEARLINE, TrafficClass.REFRESH


class Slow(Ranker):
    """Each call waits for `go`; counts the items in flight."""

    model = "lexical@1"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.parts: list[int] = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        with self._lock:
            self.parts.append(len(items))
            self._now += len(items)
            self.most = max(self.most, self._now)
        assert self.go.wait(20)
        with self._lock:
            self._now -= len(items)
        return LexicalRanker().score_many(query, items, deadline_s)


def items(count: int) -> list[Item]:
    names = (f"nurse {n}" for n in range(count))
    return [
        Item(title=t, company=None, location=None, employment_type=None, remote=None, text="") for t in names
    ]


def gate(limit: float, **policy: float) -> Gate:
    policies = {**AdmissionSettings().policies, NEARLINE: ClassPolicy(**policy, borrows=False)}  # type: ignore[arg-type]
    return Gate(Admission(FixedLimit(limit), AdmissionSettings(policies=policies)))


def test_a_call_goes_in_parts_of_the_limit_in_order() -> None:
    ranker = Slow()
    ranker.go.set()
    scores = AdmittedRanker(ranker, gate(10.0), NEARLINE).score_many("nurse 7", items(25), 10.0)
    assert ranker.parts == [10, 10, 5]
    assert scores == LexicalRanker().score_many("nurse 7", items(25), 10.0)
    assert AdmittedRanker(ranker, gate(10.0), NEARLINE).score_many("nurse", [], 10.0) == []


def test_threads_share_the_limit_and_all_are_answered() -> None:
    ranker, shared = Slow(), gate(10.0)
    with ThreadPoolExecutor(8) as pool:
        callers = [AdmittedRanker(ranker, shared, one, waits=True) for one in (NEARLINE, ONLINE)]
        calls = [pool.submit(callers[n % 2].score_many, "nurse", items(5), 20.0) for n in range(8)]
        ranker.go.set()
        assert all(len(call.result()) == 5 for call in calls)
    assert ranker.most <= 10
    assert shared.state().in_flight == 0


def test_who_does_not_wait_is_told_to_come_again() -> None:
    shared = gate(10.0)
    shared.enter(Work(ONLINE, 10.0, None), waits=True)
    with pytest.raises(ModelDeferred, match="other work") as raised:
        AdmittedRanker(Slow(), shared, NEARLINE).score_many("nurse", items(5), 10.0)
    assert raised.value.retry_after_s > 0


def test_who_waits_past_the_deadline_leaves_the_queue() -> None:
    shared = gate(10.0)
    shared.enter(Work(ONLINE, 10.0, None), waits=True)
    with pytest.raises(ModelDeferred, match="deadline"):
        AdmittedRanker(Slow(), shared, NEARLINE, waits=True).score_many("nurse", items(5), 0.05)
    state = shared.state().classes[NEARLINE]
    assert (state.waiting, state.withdrawn) == (0, 1)


def test_waiting_work_that_sheds_is_told_so() -> None:
    shared = gate(10.0)
    shared.enter(Work(ONLINE, 10.0, None), waits=True)
    with pytest.raises(ModelUnavailable, match="overloaded"):
        AdmittedRanker(Slow(), shared, REFRESH, waits=True).score_many("nurse", items(5), 0.05)
    assert shared.state().classes[REFRESH].shed == 1


def test_a_busy_server_defers_and_teaches_nothing() -> None:
    class Busy(LexicalRanker):
        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            del query, items, deadline_s
            raise ServerBusy("503", retry_after_s=4.0)

    shared = gate(10.0)
    with pytest.raises(ModelDeferred) as raised:
        AdmittedRanker(Busy(), shared, NEARLINE).score_many("nurse", items(5), 10.0)
    assert raised.value.retry_after_s == 4.0
    assert (shared.state().in_flight, shared.state().latency_s) == (0.0, None)


def test_a_call_larger_than_the_rates_burst_is_paid_once_and_not_cut_off() -> None:
    ranker, shared = Slow(), gate(10.0, rate_per_s=1.0, burst=1.0)
    ranker.go.set()
    caller = AdmittedRanker(ranker, shared, NEARLINE)
    assert len(caller.score_many("nurse", items(25), 10.0)) == 25
    with pytest.raises(ModelDeferred) as raised:
        caller.score_many("nurse", items(1), 10.0)
    assert raised.value.retry_after_s == pytest.approx(25.0, abs=1.0)


def test_withdrawn_work_is_handed_out_to_nobody() -> None:
    admission: Admission[None] = Admission(FixedLimit(10.0))
    running = Work(ONLINE, 10.0, None)
    waiting = [Work(NEARLINE, 1.0, None, float(n)) for n in (1, 2, 3)]
    for work in (running, *waiting):
        admission.offer(0.0, work)
    for gone in (waiting[1], waiting[0]):
        admission.withdraw(gone)
    admission.done(1.0, running, Outcome.ANSWERED)
    assert admission.take(1.0) is waiting[2]
    assert admission.take(1.0) is None
    with pytest.raises(ValueError, match="does not wait"):
        admission.withdraw(Work(NEARLINE, 1.0, None, inf))


def test_a_call_that_is_interrupted_again_and_again_comes_to_its_end() -> None:
    class OftenBusy(LexicalRanker):
        calls = 0
        scored = 0

        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            self.calls += 1
            if self.calls % 3 == 0:
                raise ServerBusy("503", retry_after_s=1.0)
            self.scored += len(items)
            return super().score_many(query, items, deadline_s)

    ranker = OftenBusy()
    caller = AdmittedRanker(ranker, gate(4.0), NEARLINE)
    scores: list[float] = []
    for _ in range(20):
        try:
            scores = caller.score_many("nurse 7", items(40), 10.0)
            break
        except ModelDeferred:
            continue
    assert scores == LexicalRanker().score_many("nurse 7", items(40), 10.0)
    assert ranker.scored == 40
    assert not caller._kept


def test_calls_that_are_interrupted_in_turn_keep_their_parts_for_each_other() -> None:
    """Two queries in turn, as two threads do; each call scores one more part before it is interrupted."""

    class EverySecondBusy(LexicalRanker):
        calls = 0
        scored = 0

        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            self.calls += 1
            if self.calls % 2 == 0:
                raise ServerBusy("503", retry_after_s=1.0)
            self.scored += len(items)
            return super().score_many(query, items, deadline_s)

    ranker = EverySecondBusy()
    caller = AdmittedRanker(ranker, gate(4.0), NEARLINE)
    scores: dict[str, list[float]] = {}
    for n in range(40):
        query = ("nurse 7", "carer 7")[n % 2]
        if query not in scores:
            with suppress(ModelDeferred):
                scores[query] = caller.score_many(query, items(20), 10.0)
    assert scores == {query: LexicalRanker().score_many(query, items(20), 10.0) for query in scores}
    assert len(scores) == 2
    assert ranker.scored == 40
    assert not caller._kept


def test_parts_that_nobody_asks_for_make_room_and_are_forgotten_in_time() -> None:
    now = [0.0]
    partial = PartialScores(entries=10, kept_s=60.0, monotonic=lambda: now[0])
    partial.keep("r@1", "nurse", dict.fromkeys(items(25), 0.5))
    assert len(partial) == 10
    now[0] = 59.0
    assert partial.take("r@2", "nurse", items(25)) == {}
    assert len(partial.take("r@1", "nurse", items(24))) == 9
    now[0] = 60.0
    assert partial.take("r@1", "nurse", items(25)) == {}


def test_it_says_how_the_ranker_behind_it_computes() -> None:
    class Told(LexicalRanker):
        scored_as = "shared/float32"

    assert AdmittedRanker(Told(), gate(4.0), NEARLINE).scored_as == "shared/float32"
