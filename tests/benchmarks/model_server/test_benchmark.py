import pytest

from benchmarks.model_server.closed_loop import ClosedLoop, RequestShape, drive
from benchmarks.model_server.tables import LoadRun, Round, ServerCounts, findings, tables
from models.engine.instant import InstantEngine
from tests.models.running import serving


def counts(requests: float, engine_s: float, cpu_s: float, loop_cpu_s: float, lag_s: float) -> ServerCounts:
    return ServerCounts(
        requests=requests,
        engine_s=engine_s,
        queue_s=1.0,
        batches=9.0,
        cpu_s=cpu_s,
        loop_cpu_s=loop_cpu_s,
        steal_s=requests / 100,
        rss_mib=300.0,
        longest_lag_s=lag_s,
        longest_collection_s=0.002,
        long_lags=float(lag_s > 0.05),
        long_collections=0.0,
    )


LOAD = LoadRun(
    seconds=10.0,
    latencies_ms=[float(n) for n in range(100)],
    before=counts(50, 4.0, 6.0, 0.5, 0.01),
    after=counts(150, 13.0, 15.5, 1.0, 0.06),
    idle_lag_s=0.004,
)
ROUND = Round(alone_per_s=12.5, alone_cpu_s=0.08, load=LOAD)


def test_overhead_is_the_loops_processor_time_over_that_of_the_engine_alone() -> None:
    row = ROUND.row
    assert row["overhead"] == pytest.approx(0.005 / 0.08)
    assert row["engine_inside_ms"] == pytest.approx(90.0)
    assert row["ratio"] == pytest.approx(0.8)
    assert row["engine_busy"] == pytest.approx(0.9)
    assert (row["p50_ms"], row["p95_ms"], row["p99_ms"]) == (50.0, 95.0, 99.0)
    assert row["stolen_s"] == pytest.approx(1.0)


def test_the_findings_say_what_was_reached_beside_its_goal() -> None:
    overhead, pauses, answered = findings([ROUND, ROUND], LOAD.after)
    assert "6.2% of the engine's processor time (goal at most 10%)" in overhead
    assert "loop 60.0 ms (1 over 50 ms), of the garbage collector 2.0 ms" in pauses
    assert "2.0 s of processor time were stolen" in pauses
    assert "late by up to 4.0 ms" in pauses
    assert answered.startswith("200 requests")
    assert [len(rows) for rows in tables([ROUND, ROUND], LOAD.after).values()] == [2, 2]


def test_closed_loop_clients_keep_asking_until_the_time_is_over() -> None:
    asked = RequestShape(items=2, tokens=9, shared=4, vocab=200)
    with serving(InstantEngine("ranker@1")) as url:
        port = int(url.rsplit(":", 1)[1])
        load = ClosedLoop(port=port, seconds=0.5, processes=1, connections=2, asked=asked, seed=1)
        latencies_ms, took_s = drive(load)
    assert len(latencies_ms) >= 2
    assert took_s >= 0.5
    assert max(latencies_ms) < 1000 * took_s
