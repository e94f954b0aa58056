import asyncio
import gc
import time

import httpx
import pytest

from models.server.pauses import BOUNDS_S, LagProbe, PauseHistogram, collections_timed
from tests.models.running import SCORE, eventually, post, process


def test_pauses_are_counted_by_their_length() -> None:
    pauses = PauseHistogram()
    for pause_s in (0.0005, 0.05, 0.051, 9.0):
        pauses.add(pause_s)
    assert pauses.counts[0] == 1
    assert pauses.counts[BOUNDS_S.index(0.05)] == 1
    assert pauses.counts[BOUNDS_S.index(0.1)] == 1
    assert pauses.counts[-1] == 1
    assert pauses.longest_s == 9.0
    assert pauses.total_s == pytest.approx(9.1015)


def test_every_collection_is_counted_while_it_is_asked_for() -> None:
    pauses = PauseHistogram()
    with collections_timed(pauses):
        gc.collect()
    counted = sum(pauses.counts)
    gc.collect()
    assert counted >= 1
    assert sum(pauses.counts) == counted


def test_a_call_that_holds_the_event_loop_is_seen_as_lag() -> None:
    pauses = PauseHistogram()

    async def hold() -> None:
        probe = LagProbe(pauses)
        await asyncio.sleep(0.03)
        time.sleep(0.1)  # noqa: ASYNC251  (what must be noticed)
        await asyncio.sleep(0.03)
        probe.stop()

    asyncio.run(hold())
    assert pauses.longest_s > 0.05


@pytest.mark.timeout(120)
def test_a_server_exports_its_pauses_batches_and_refusals() -> None:
    with process("--instant") as (_, url):
        assert post(url, "score", SCORE).status_code == 200
        assert post(url, "score", b"{").status_code == 400
        page = httpx.get(f"{url}/metrics").text
        for line in (
            'nearline_model_batch_jobs_sum{task="score"} 1.0',
            'nearline_model_batch_tokens_sum{task="score"} 8.0',
            'nearline_model_queue_seconds_count{task="score"} 1.0',
            'nearline_model_engine_seconds_count{task="score"} 1.0',
            'nearline_model_refusals_total{reason="bad request",route="/v1/score"} 1.0',
        ):
            assert line in page
        assert "nearline_model_gc_pause_longest_seconds " in page
        eventually(
            lambda: "nearline_model_loop_lag_seconds_count 0.0" in httpx.get(f"{url}/metrics").text,
            wanted=False,
        )
