import random

import pytest

from models.engine.batcher import BatchConfig
from models.engine.scheduling.choosing import PolicyName
from pipeline.simulation.clock import Agenda, VirtualClock
from pipeline.simulation.series import Series
from pipeline.simulation.servers import Job, Server
from pipeline.simulation.services import ServiceTimes

TIMES = ServiceTimes(name="x", token_s=0.01, batch_s=1.0, most_tokens=30)


class Bench:
    """One server, and when and how each of its jobs ended."""

    def __init__(self, times: ServiceTimes = TIMES, **limits: object) -> None:
        self.agenda, self.ended = Agenda(VirtualClock()), list[tuple[str, float, bool]]()
        config = BatchConfig(**{"batch_tokens": 40, "batch_jobs": 4} | limits)  # type: ignore[arg-type]
        self.server = Server(
            self.agenda, times, config, random.Random(1), Series(1.0), self.done, lambda _: None
        )

    def done(self, job: Job, computed: bool) -> None:
        self.ended.append((job.payload, round(self.agenda.clock.now, 6), computed))

    def submit(self, name: str, tokens: int = 10, *, priority: int = 0, **more: float) -> None:
        self.server.submit(Job(prefix=b"", items=1, tokens=tokens, priority=priority, payload=name, **more))


def test_what_waits_is_computed_together_after_what_runs() -> None:
    bench = Bench()
    for name in "abc":
        bench.submit(name)
    bench.agenda.run_out()
    assert bench.ended == [("a", 1.1, True), ("b", 2.3, True), ("c", 2.3, True)]


def test_a_batch_holds_no_more_tokens_than_it_may() -> None:
    bench = Bench()
    for name in "abcde":
        bench.submit(name, 20)
    bench.agenda.run_out()
    assert [(name, at) for name, at, _ in bench.ended] == [
        ("a", 1.2),
        ("b", 2.6),
        ("c", 2.6),
        ("d", 4.0),
        ("e", 4.0),
    ]
    assert bench.server.figures().extrapolated == 2


def test_a_higher_priority_comes_first() -> None:
    bench = Bench(batch_jobs=1)
    bench.submit("a")
    bench.submit("low", priority=-1)
    bench.submit("high", priority=0)
    bench.agenda.run_out()
    assert [name for name, _, _ in bench.ended] == ["a", "high", "low"]


def test_a_job_whose_deadline_has_passed_in_the_queue_is_not_computed() -> None:
    bench = Bench()
    bench.submit("a")
    bench.submit("b", deadline=1.0)
    bench.agenda.run_out()
    assert bench.ended == [("a", 1.1, True), ("b", 1.1, False)]
    assert bench.server.figures().jobs == 1


def test_the_event_loop_reads_and_answers_one_request_after_the_other() -> None:
    bench = Bench(ServiceTimes(name="x", token_s=0.01, request_s=0.5, answer_s=0.25, way_s=0.2))
    bench.submit("a")
    bench.submit("b")
    bench.agenda.run_out()
    # on the way .1, read until .6 and 1.1; computed until .7; answered behind the second reading
    assert bench.ended == [("a", 1.45, True), ("b", 1.7, True)]


def test_the_busy_time_is_that_of_the_batches() -> None:
    bench = Bench()
    bench.submit("a")
    bench.agenda.run_out()
    found = bench.server.figures()
    assert found.busy_s == pytest.approx(1.1)
    assert (found.batches, found.jobs, found.tokens) == (1, 1, 10)
    assert bench.server.pending_tokens == 0


def test_a_batchs_time_is_its_jobs_in_proportion_to_their_tokens() -> None:
    bench = Bench(ServiceTimes(name="x", token_s=0.01, request_s=0.1))
    bench.submit("first", priority=1)
    bench.submit("high", 10, priority=1)
    bench.submit("low", 30, priority=0)
    bench.agenda.run_out()
    assert bench.server.busy_by_priority == pytest.approx({1: 0.1 + 0.1, 0: 0.3})
    assert bench.server.busy_s == pytest.approx(0.5)


@pytest.mark.parametrize("policy", list(PolicyName))
def test_every_policy_computes_every_job(policy: PolicyName) -> None:
    bench = Bench(policy=policy)
    for n in range(50):
        bench.submit(str(n), 5 + n % 7)
    bench.agenda.run_out()
    assert sorted(int(name) for name, _, _ in bench.ended) == list(range(50))
