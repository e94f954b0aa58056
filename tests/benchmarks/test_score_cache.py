"""The score cache's benchmark on little: what it is to show, and that its contenders are what their names say."""

from pathlib import Path

from benchmarks.common.settings import ScoreCacheBenchmark
from benchmarks.score_cache.contenders import BOTH, LEASE, OURS, PLAIN
from benchmarks.score_cache.crowd import cold_key
from benchmarks.score_cache.expiries import hot_key, warmed_together
from benchmarks.score_cache.replay import replay, trace

SMALL = ScoreCacheBenchmark(
    keys=50, hot_rate=4.0, hot_lifetimes=2.0, hot_costs_s=(1.0,), trace_s=1_300.0, request_rate=2.0
)


def test_with_the_plain_cache_every_reader_of_an_expired_score_computes_it_and_with_ours_nobody_waits() -> (
    None
):
    rows = {row["cache"]: row for row in hot_key(SMALL)}
    waited = {name: int(str(row["readers that waited"])) for name, row in rows.items()}
    assert waited[OURS] == 0
    assert min(waited[PLAIN], waited[LEASE], waited[BOTH]) > 0
    assert int(str(rows[PLAIN]["calls"])) > 2 * int(str(rows[OURS]["calls"]))
    assert float(str(rows[OURS]["extra calls"])) <= 0.02


def test_keys_computed_together_are_computed_anew_one_after_another() -> None:
    found = warmed_together(SMALL)
    assert found[OURS].blocked == 0
    assert found[OURS].peak <= 4
    assert 20 <= found[LEASE].peak <= found[PLAIN].peak


def test_the_trace_is_in_order_and_a_fifth_of_its_searches_are_new() -> None:
    requests = trace(SMALL)
    times = [request.at_s for request in requests]
    assert times == sorted(times)
    first_pages = [request.keys[0] for request in requests if request.keys[0].endswith(b"/0")]
    assert 0.15 < len(set(first_pages)) / len(first_pages) < 0.25


def test_the_trace_is_answered_faster_with_a_cache() -> None:
    none, plain, ours = replay(SMALL)
    assert 0.5 <= float(str(plain["hits"])) <= float(str(ours["hits"]))
    assert float(str(ours["p50 ms"])) < float(str(none["p50 ms"]))


def test_two_processes_over_one_store_are_one_call_of_the_engine(tmp_path: Path) -> None:
    row = cold_key(callers=40, processes=2, cost_s=1.0, folder=tmp_path)
    assert (row["engine calls"], row["answered"]) == (1, 40)
