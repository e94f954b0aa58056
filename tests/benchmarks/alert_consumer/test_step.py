from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.alert_consumer.requests import RequestLoad, prepare
from benchmarks.alert_consumer.step import alone, inside

pytestmark = pytest.mark.timeout(60)


def test_the_load_has_full_requests_of_pairs_that_never_met(tmp_path: Path) -> None:
    prepared = prepare(RequestLoad(candidates=1_200, searches_a_posting=3, items=5), tmp_path)
    pairs = [(r.search.search_id, c.posting_id) for r in prepared.requests for c in r.candidates]
    assert {len(request.candidates) for request in prepared.requests} == {5}
    assert len(pairs) == len(set(pairs)) == prepared.candidates > 900


def test_exactly_the_cached_share_of_the_pairs_alerts(tmp_path: Path) -> None:
    prepared = prepare(RequestLoad(candidates=1_200, searches_a_posting=3, items=5), tmp_path)
    assert 0.02 < prepared.alerts / prepared.candidates < 0.09
    assert alone(prepared).by_processor > 0


def test_a_run_whose_alerts_are_not_the_expected_ones_is_no_measurement(tmp_path: Path) -> None:
    prepared = prepare(RequestLoad(candidates=300, searches_a_posting=1, items=5), tmp_path)
    with pytest.raises(RuntimeError, match="expected"):
        alone(replace(prepared, alerts=prepared.alerts + 1))


def test_the_step_s_time_is_told_by_stages(tmp_path: Path) -> None:
    prepared = prepare(RequestLoad(candidates=2_000, searches_a_posting=1, items=5), tmp_path)
    shares = inside(prepared)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert {"decode", "match again"} <= set(shares)
