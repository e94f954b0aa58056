"""A cached ranker called by many threads, over stores that fail, hang and are shared with another process."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest
from typing_extensions import override

from models.prompts import Item
from models.ranker import Ranker
from pipeline.scoring.cached import CachedScorer, CacheSettings
from pipeline.scoring.lifetimes import ScoreLifetimes
from schemas.errors import ModelRejected, ModelUnavailable
from storage.memory import MemoryStore
from storage.scores import ScoreCache

NURSE = Item(title="Nurse", company=None, location=None, employment_type=None, remote=None, text="a ward")
WELDER = replace(NURSE, title="Welder")


class Engine(Ranker):
    """A ranker that waits for `gate` before it answers, and notes its calls; scores are lengths of titles / 10."""

    model = "r@1"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[list[str]] = []
        self.fails: Exception | None = None
        self.answer: Callable[[Item], float] = lambda item: len(item.title) / 10
        self.renamed = "r@1"

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        self.asked.append([item.title for item in items])
        assert self.gate.wait(20.0)
        if self.fails is not None:
            raise self.fails
        return [self.answer(item) for item in items]

    @override
    def answer_many(self, query: str, items: Sequence[Item], deadline_s: float) -> tuple[str, list[float]]:
        name = self.model = self.renamed
        return name, self.score_many(query, items, deadline_s)


class Clock:
    """Monotonic seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def settings(budget_s: float = 5.0, **lifetimes: float) -> CacheSettings:
    return CacheSettings(entries=1_000, budget_s=budget_s, lifetimes=ScoreLifetimes(**lifetimes))


def together(callers: int, call: Callable[[], object]) -> list[object]:
    """What `call` returns, or the error that it raises, in so many threads."""

    def tried() -> object:
        try:
            return call()
        except (ModelUnavailable, ModelRejected) as error:
            return error

    with ThreadPoolExecutor(callers) as threads:
        return [future.result() for future in [threads.submit(tried) for _ in range(callers)]]


def waiting(scorer: CachedScorer, callers: int) -> None:
    """Return when so many callers wait."""
    until = time.monotonic() + 20.0
    while scorer.counts()["waits"] < callers:
        assert time.monotonic() < until
        time.sleep(0.001)


def open_once(engine: Engine, scorer: CachedScorer, callers: int) -> None:
    """Let the engine answer when so many callers wait."""

    def work() -> None:
        waiting(scorer, callers)
        engine.gate.set()

    threading.Thread(target=work, daemon=True).start()


def test_two_hundred_threads_with_fifty_calls_each_are_one_call_of_the_engine() -> None:
    engine = Engine()
    engine.gate.clear()
    scorer = CachedScorer(engine, settings=settings())
    open_once(engine, scorer, 199)

    def fifty() -> object:
        return {score for _ in range(50) for score in scorer.score_many("nurse", [NURSE], 20.0)}

    assert together(200, fifty) == [{0.5}] * 200
    assert engine.asked == [["Nurse"]]
    counts = scorer.counts()
    assert (counts["misses"], counts["waits"], counts["hits"]) == (1, 199, 9_800)


def test_two_scorers_over_one_store_are_one_call_of_their_engines() -> None:
    kv = MemoryStore(time.time)
    engines = [Engine(), Engine()]
    for engine in engines:
        engine.gate.clear()
    scorers = [CachedScorer(engine, ScoreCache(kv), settings()) for engine in engines]
    calls = iter(range(100))

    def ask() -> object:
        return scorers[next(calls) % 2].score_many("nurse", [NURSE], 20.0)

    def open_gates() -> None:
        for scorer in scorers:
            waiting(scorer, 19)
        for engine in engines:
            engine.gate.set()

    threading.Thread(target=open_gates, daemon=True).start()
    assert together(40, ask) == [[0.5]] * 40
    assert sum(len(engine.asked) for engine in engines) == 1
    assert sum(scorer.counts()["misses"] for scorer in scorers) == 1
    assert sum(scorer.counts()["shared"] for scorer in scorers) == 1


def test_a_score_of_another_process_is_kept_for_as_long_as_it_keeps_it() -> None:
    wall, clock = Clock(), Clock()
    kv = MemoryStore(wall)
    one, other = (
        CachedScorer(Engine(), ScoreCache(kv, clock=wall), settings(), clock=clock) for _ in range(2)
    )
    one.score_many("nurse", [NURSE], 5.0)
    for seconds, hit in ((600.0, True), (299.0, True), (1.0, False)):
        clock.now += seconds
        wall.now += seconds
        assert (other.peek_many("nurse", [NURSE]) == [0.5]) is hit


def test_an_old_score_is_answered_at_once_while_it_is_computed_anew() -> None:
    engine, clock = Engine(), Clock()
    scorer = CachedScorer(engine, settings=settings(grace_s=100.0, jitter=0.0), clock=clock)
    scorer.score_many("nurse", [NURSE], 5.0)
    engine.gate.clear()
    engine.answer = lambda _: 0.75
    clock.now += 850.0
    assert together(20, lambda: scorer.score_many("nurse", [NURSE], 5.0)) == [[0.5]] * 20
    engine.gate.set()
    scorer.settle()
    assert scorer.score_many("nurse", [NURSE], 5.0) == [0.75]
    counts = scorer.counts()
    assert (len(engine.asked), counts["early"], counts["stale"], counts["waits"]) == (2, 1, 19, 0)


def test_a_refresh_that_another_process_has_done_is_taken_over_without_a_call() -> None:
    wall, clock = Clock(), Clock()
    cache = [ScoreCache(MemoryStore(wall), clock=wall)] * 2
    cache[1] = ScoreCache(cache[0].kv, clock=wall)
    engines = [Engine(), Engine()]
    one, other = (
        CachedScorer(engine, shared, settings(grace_s=100.0, jitter=0.0), clock=clock)
        for engine, shared in zip(engines, cache, strict=True)
    )
    for scorer in (one, other):
        scorer.score_many("nurse", [NURSE], 5.0)
    engines[0].answer = lambda _: 0.75
    clock.now += 850.0
    wall.now += 850.0
    for scorer in (one, other):
        assert scorer.score_many("nurse", [NURSE], 5.0) == [0.5]
        scorer.settle()
        assert scorer.score_many("nurse", [NURSE], 5.0) == [0.75]
    assert [len(engine.asked) for engine in engines] == [2, 0]


def test_a_failed_refresh_leaves_the_old_score() -> None:
    engine, clock = Engine(), Clock()
    scorer = CachedScorer(engine, settings=settings(grace_s=100.0, jitter=0.0), clock=clock)
    scorer.score_many("nurse", [NURSE], 5.0)
    engine.fails = ModelUnavailable("away")
    clock.now += 850.0
    for _ in range(3):
        assert scorer.score_many("nurse", [NURSE], 5.0) == [0.5]
        scorer.settle()
    assert len(engine.asked) == 2
    assert scorer.counts()["failures"] == 1


def test_those_who_wait_get_the_leaders_outage_and_do_not_ask_one_after_another() -> None:
    engine = Engine()
    engine.gate.clear()
    engine.fails = ModelUnavailable("away", retry_after_s=7.0)
    scorer = CachedScorer(engine, settings=settings())
    open_once(engine, scorer, 19)
    ends = together(20, lambda: scorer.score_many("nurse", [NURSE], 20.0))
    assert [(str(end), end.retry_after_s) for end in ends if isinstance(end, ModelUnavailable)] == [
        ("away", 7.0)
    ] * 20
    assert len(engine.asked) == 1


def test_a_call_that_outlasts_the_lease_is_made_once_in_one_process_and_in_two() -> None:
    kv = MemoryStore(time.time)
    engines = [Engine(), Engine()]
    for engine in engines:
        engine.gate.clear()
    scorers = [CachedScorer(engine, ScoreCache(kv), settings(lease_s=0.06)) for engine in engines]
    calls = iter(range(100))

    def ask() -> object:
        return scorers[next(calls) % 2].score_many("nurse", [NURSE], 20.0)

    def open_gates() -> None:
        for scorer in scorers:
            waiting(scorer, 3)
        time.sleep(0.3)
        for engine in engines:
            engine.gate.set()

    threading.Thread(target=open_gates, daemon=True).start()
    assert together(8, ask) == [[0.5]] * 8
    assert sum(len(engine.asked) for engine in engines) == 1
    assert sum(scorer.counts()["takeovers"] for scorer in scorers) == 0


def test_a_leader_that_hangs_beyond_its_deadline_is_replaced_when_its_lease_ends() -> None:
    engine = Engine()
    engine.gate.clear()
    scorer = CachedScorer(engine, settings=settings(lease_s=0.05))
    hung = threading.Thread(target=lambda: scorer.score_many("nurse", [NURSE], 0.1), daemon=True)
    hung.start()
    until = time.monotonic() + 20.0
    while not engine.asked:
        assert time.monotonic() < until
    second = Engine()
    scorer._leader._ranker = second
    assert scorer.score_many("nurse", [NURSE], 20.0) == [0.5]
    assert (len(engine.asked), len(second.asked)) == (1, 1)
    assert scorer.counts()["takeovers"] == 1
    engine.gate.set()
    hung.join(20.0)


def test_who_waits_gives_up_at_its_own_deadline() -> None:
    engine = Engine()
    engine.gate.clear()
    scorer = CachedScorer(engine, settings=settings())
    leader = threading.Thread(target=lambda: scorer.score_many("nurse", [NURSE], 20.0), daemon=True)
    leader.start()
    until = time.monotonic() + 20.0
    while not engine.asked:
        assert time.monotonic() < until
    with pytest.raises(ModelUnavailable, match="by the deadline"):
        scorer.score_many("nurse", [NURSE], 0.02)
    engine.gate.set()
    leader.join(20.0)
    assert scorer.score_many("nurse", [NURSE], 1.0) == [0.5]


class Hanging(MemoryStore):
    """A store whose calls wait for `gate`."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.gate = threading.Event()
        self.calls = 0

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.calls += 1
        self.gate.wait(20.0)
        return super().get_many(keys)


def test_a_store_that_hangs_costs_each_caller_its_budget_once_and_is_used_again_afterwards() -> None:
    store, engine = Hanging(), Engine()
    scorer = CachedScorer(engine, ScoreCache(store), settings(budget_s=0.05))
    began = time.monotonic()
    assert scorer.score_many("nurse", [NURSE], 20.0) == [0.5]
    took_s = time.monotonic() - began
    assert 0.05 <= took_s < 2.0
    for n in range(50):
        scorer.score_many(f"nurse {n}", [NURSE], 20.0)
    assert store.calls == 1, "no other call is made while one hangs"
    assert scorer.counts()["failures"] >= 50
    store.gate.set()
    until = time.monotonic() + 20.0
    while not store._values:
        scorer.score_many(f"welder {time.monotonic()}", [WELDER], 20.0)
        assert time.monotonic() < until


def test_a_score_that_is_not_finite_is_passed_on_and_never_kept() -> None:
    kv, engine = MemoryStore(time.time), Engine()
    engine.answer = lambda item: math.nan if item is NURSE else 0.75
    scorer = CachedScorer(engine, ScoreCache(kv), settings())
    for _ in range(2):
        odd, fine = scorer.score_many("nurse", [NURSE, WELDER], 5.0)
        assert math.isnan(odd)
        assert fine == 0.75
    assert engine.asked == [["Nurse", "Welder"], ["Nurse"]]
    assert scorer.peek_many("nurse", [NURSE, WELDER]) == [None, 0.75]
    assert CachedScorer(engine, ScoreCache(kv)).peek_many("nurse", [NURSE, WELDER]) == [None, 0.75]


def test_a_refused_item_is_not_sent_again_for_a_while_here_and_in_other_processes() -> None:
    wall, clock, engine = Clock(), Clock(), Engine()
    kv = MemoryStore(wall)
    scorers = [
        CachedScorer(engine, ScoreCache(kv, clock=wall), settings(rejected_s=60.0), clock=clock)
        for _ in range(2)
    ]
    engine.fails = ModelRejected("poison")
    with pytest.raises(ModelRejected):
        scorers[0].score_many("nurse", [NURSE, WELDER], 5.0)
    assert len(engine.asked) == 1, "of two items it is not known which one was refused"
    for scorer in scorers * 2:
        with pytest.raises(ModelRejected, match="poison"):
            scorer.score_many("nurse", [NURSE], 5.0)
    assert len(engine.asked) == 2
    assert sum(scorer.counts()["rejected"] for scorer in scorers) == 2
    engine.fails = None
    with pytest.raises(ModelRejected):
        scorers[0].score_many("nurse", [NURSE, WELDER], 5.0)
    assert engine.asked[2:] == [["Welder"]], "the others are scored, so that the halves that follow are hits"
    clock.now += 60.0
    wall.now += 60.0
    assert scorers[0].score_many("nurse", [NURSE, WELDER], 5.0) == [0.5, 0.6]


def test_a_model_that_changes_its_name_in_the_middle_gives_no_mixed_answer() -> None:
    engine = Engine()
    scorer = CachedScorer(engine, ScoreCache(MemoryStore(time.time)), settings())
    assert scorer.answer_many("nurse", [NURSE], 5.0) == ("r@1", [0.5])
    engine.renamed, engine.answer = "r@2", lambda item: len(item.title) / 100
    assert scorer.answer_many("nurse", [NURSE, WELDER], 5.0) == ("r@2", [0.05, 0.06])
    assert scorer.model == "r@2"
    asked = len(engine.asked)
    assert scorer.answer_many("nurse", [NURSE, WELDER], 5.0) == ("r@2", [0.05, 0.06])
    assert len(engine.asked) == asked


def test_modes_and_arithmetics_have_scores_of_their_own() -> None:
    kv = MemoryStore(time.time)

    class Multi(Engine):
        scored_as = "multi-item/bfloat16"

    one, other = Engine(), Multi()
    for engine in (one, other):
        CachedScorer(engine, ScoreCache(kv), settings()).score_many("nurse", [NURSE], 5.0)
    assert (len(one.asked), len(other.asked)) == (1, 1)


def test_an_item_that_comes_twice_in_a_call_is_asked_once() -> None:
    engine = Engine()
    assert CachedScorer(engine).score_many("nurse", [NURSE, WELDER, NURSE], 5.0) == [0.5, 0.6, 0.5]
    assert engine.asked == [["Nurse", "Welder"]]


def test_calls_whose_items_overlap_do_not_wait_for_each_other_for_ever() -> None:
    engine = Engine()
    scorer = CachedScorer(engine, settings=settings())
    items = [replace(NURSE, title="n" * n) for n in range(1, 9)]
    turns = iter(range(1_000))

    def ask() -> object:
        n = next(turns) % 8
        return scorer.score_many("nurse", items[n:] + items[:n], 20.0) and True

    assert together(32, ask) == [True] * 32
    assert sorted(title for titles in engine.asked for title in titles) == sorted(
        item.title for item in items
    )


def test_reads_of_a_store_that_never_waits_are_made_in_the_callers_thread() -> None:
    class Noting(MemoryStore):
        readers: ClassVar[set[int]] = set()

        @override
        def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            self.readers.add(threading.get_ident())
            return super().get_many(keys)

    store = Noting(time.time)
    CachedScorer(Engine(), ScoreCache(store, reads_wait=False), settings()).score_many("nurse", [NURSE], 5.0)
    assert store.readers == {threading.get_ident()}
