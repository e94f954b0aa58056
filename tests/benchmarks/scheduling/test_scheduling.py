"""The scheduling benchmark's traces, its server, and SGLang's rules."""

import itertools
from statistics import mean

import pytest

from benchmarks.common.settings import SchedulingBenchmark
from benchmarks.scheduling.benchmark import ITEM_TOKENS, measured_speed
from benchmarks.scheduling.decisions import costs
from benchmarks.scheduling.replay import Run, Server, replay
from benchmarks.scheduling.sglang import SORTED_AT_MOST, SglangQueue
from benchmarks.scheduling.tables import Case, findings, interval, tables
from benchmarks.scheduling.traces import TRACES, Arrival
from models.engine.scheduling.choosing import POLICIES, PolicyName
from models.engine.scheduling.member import Request, packed
from models.engine.scheduling.waiting_queue import WaitingQueue
from schemas.errors import ConfigError


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_its_seeds_and_comes_in_order_at_the_rate_asked_for(name: str) -> None:
    trace = TRACES[name](3, 800, 1_000.0)
    assert trace == TRACES[name](3, 800, 1_000.0)
    assert trace != TRACES[name](4, 800, 1_000.0)
    assert all(one.at_s <= other.at_s for one, other in itertools.pairwise(trace))
    assert sum(one.tokens for one in trace) / trace[-1].at_s == pytest.approx(1_000.0, rel=0.01)


def test_sixteen_requests_of_the_regular_trace_have_each_prefix_and_cold_ones_of_the_heavy_trace_none() -> (
    None
):
    regular, heavy = (TRACES[name](3, 800, 1_000.0) for name in ("regular", "heavy"))
    assert {sum(other.prefix == one.prefix for other in regular) for one in regular[:40]} == {16}
    cold = [one for one in heavy if one.cold]
    assert 0.02 < len(cold) / len(heavy) < 0.06
    assert all(sum(other.prefix == one.prefix for other in heavy) == 1 for one in cold)


def test_a_request_is_done_when_its_batch_is_and_waits_while_another_is_computed() -> None:
    trace = [
        Arrival(0.0, packed([1] * 4), 6),
        Arrival(0.1, packed([1] * 4), 6),
        Arrival(0.2, packed([1] * 4), 6),
    ]
    run = replay(trace, WaitingQueue(POLICIES[PolicyName.FCFS]), Server(tokens_per_s=10.0, cache_tokens=0))
    assert run.ttft_s == pytest.approx([1.0, 2.5, 2.4])
    assert (run.tokens, run.computed_tokens, run.most_waiting) == (30, 26, 2)


def test_a_server_with_a_cache_computes_a_prefix_once() -> None:
    trace = [Arrival(0.0, packed([1] * 4), 6), Arrival(5.0, packed([1] * 4), 6)]
    run = replay(
        trace, WaitingQueue(POLICIES[PolicyName.FCFS], 100), Server(tokens_per_s=10.0, cache_tokens=100)
    )
    assert run.ttft_s == pytest.approx([1.0, 0.6])


def order(queue: SglangQueue, requests: list[Request]) -> list[int]:
    queue.add(requests)
    taken = list[Request]()
    while len(queue):
        taken += queue.next_batch(0.0, tokens=1, requests=1).requests
    return [requests.index(one) for one in taken]


def test_sglang_defers_what_shares_a_prefix_that_is_not_computed_and_then_takes_it_by_lpm() -> None:
    def requests(*numbers: int) -> list[Request]:
        return [Request(prefix=packed([number] * 40), own=1) for number in numbers]

    assert order(SglangQueue("lpm", 1_000), requests(1, 2, 1, 3)) == [0, 2, 1, 3]
    assert order(SglangQueue("fcfs", 1_000), requests(1, 2, 1, 3)) == [0, 1, 2, 3]


def test_sglang_keeps_the_order_of_arrival_while_more_than_128_wait() -> None:
    many = [Request(prefix=packed([n % 2 + 1] * 40), own=1) for n in range(SORTED_AT_MOST + 4)]
    found = order(SglangQueue("lpm", 40), many)
    assert found[:4] == [0, 1, 2, 3]
    assert found[4:] != sorted(found[4:])


def test_sglangs_hrrn_takes_the_highest_ratio_of_waiting_to_uncached_tokens() -> None:
    queue = SglangQueue("hrrn", 0)
    long, short = Request(prefix=packed([1] * 40), own=60), Request(prefix=packed([2] * 40), own=1)
    queue.add([long, short])
    queue.clock = 100
    assert [queue.next_batch(0.0, tokens=1, requests=1).requests for _ in range(2)] == [[short], [long]]


def test_the_tables_set_every_queue_beside_its_references() -> None:
    trace = TRACES["regular"](1, 200, 2_000.0)
    runs: dict[str, list[Run]] = {
        name: [replay(trace, WaitingQueue(POLICIES[name]), Server(1_000.0, 0))] * 2 for name in PolicyName
    }
    case = Case("regular", 0, {**runs, "SGLang's hrrn": runs[PolicyName.HRRN]})
    decided = {("density", "regular", 0): costs(POLICIES[PolicyName.DENSITY], trace, 50, 0)}
    rows = tables([case], decided)["Trace regular, sharing within a batch"]
    assert [row["policy"] for row in rows] == [*PolicyName, "SGLang's hrrn"]
    by_policy = {row["policy"]: row for row in rows}
    assert by_policy["fcfs"]["over fcfs's"] == by_policy["hrrn"]["over hrrn's"] == "1.000 ± 0.000"
    assert len(findings([case], decided, "density")) == 3


def test_an_interval_is_the_mean_and_students_t() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert interval(values) == f"{mean(values):.3f} ± 1.966"


def test_the_servers_speed_is_the_engines_measured_one() -> None:
    speed = measured_speed(SchedulingBenchmark())
    assert 100 < speed / ITEM_TOKENS < 10_000
    with pytest.raises(ConfigError, match="has no speed of ours in float16"):
        measured_speed(SchedulingBenchmark(dtype="float16"))
