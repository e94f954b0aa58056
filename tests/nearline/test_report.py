"""The demo's report adds up."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from nearline.demo.report import DemoReport, percentiles
from nearline.demo.scoring import Scoring, scoring
from schemas.records import Outcome
from streaming.alerting.metrics import ConsumerMetrics
from streaming.tools.observer import Seen


def report(seen: Seen, updates_in: int) -> DemoReport:
    return DemoReport(updates_in=updates_in, seen=seen, features=1, setup_s=1.0, replay_s=2.0)


def test_the_outcomes_in_the_file_add_up_to_the_updates(tmp_path: Path) -> None:
    seen = Seen(outcomes={"a/0/1": Outcome.SUMMARIZED, "a/0/2": Outcome.CLOSED, "a/0/3": Outcome.CLOSED})
    report(seen, 3).write(tmp_path / "deep" / "report.json")
    figures = json.loads((tmp_path / "deep" / "report.json").read_text())
    assert sum(figures[outcome] for outcome in Outcome) == figures["updates_in"] == 3
    assert figures["closed"] == 2
    assert figures["unexplained"] == 0


def test_an_update_without_an_outcome_is_counted() -> None:
    assert report(Seen(outcomes={"a/0/1": Outcome.STALE}), 3).unexplained == 2


def test_hit_rate_and_depth_come_from_the_consumers_own_metrics() -> None:
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    counts = {"hits": 5, "shared": 1, "misses": 2, "waits": 2, "rejected": 1, "takeovers": 9, "failures": 9}
    metrics.show_cache(lambda: counts)
    metrics.depth.set(131)
    found = scoring("here", lambda _: generate_latest(registry).decode())
    assert found == Scoring(lookups=10, hits=6, depth=131)
    assert found.line() == "score cache: 60% of 10 look-ups were hits; depth: 131 candidates a request"
    assert replace(report(Seen(), 0), scoring=found).figures()["score_cache_hit_rate"] == 0.6


def test_a_consumer_that_does_not_answer_leaves_hit_rate_and_depth_unknown() -> None:
    def gone(_url: str) -> str:
        raise httpx.ConnectError("refused")

    assert scoring("here", gone) == Scoring()
    assert Scoring().line() == "score cache: no look-up; depth: not known"
    assert report(Seen(), 0).figures()["depth"] is None


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == {"p50": None, "p95": None}


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_percentiles_are_values_that_were_seen_in_order(values: list[int]) -> None:
    found = percentiles(values)
    p50, p95 = found["p50"], found["p95"]
    assert p50 is not None
    assert p95 is not None
    assert p50 in values
    assert p50 <= p95 <= max(values)
