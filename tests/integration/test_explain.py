"""`nearline explain` against a deployed system: brokers and stores by their addresses, without a local stack."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from nearline.cli.explain_parts import SCORE_DEADLINE_S
from nearline.stack.tools import free_port
from schemas.keys import alert_id
from schemas.records import Candidate, SavedSearch, ScoreRequest
from storage.opening import open_store
from streaming.kafka import topics
from tests.integration.kafka_stage import Stage
from tests.pipeline.builders import feature
from tests.support.tiny import word_piece_tokenizer, write_tokenizer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

NURSE = feature(posting_id="nurse-1", title="Night nurse", summary="care for patients at night")
SEARCH = SavedSearch(search_id="a", query="night nurse", threshold=0.6)
ALERT = alert_id("a", "nurse-1", NURSE.episode)


def explain(
    stage: Stage, *arguments: str, bootstrap: str = "", ranker: str = "instant:"
) -> subprocess.CompletedProcess[str]:
    """Run in a folder in which no stack was ever started."""
    at = ("--bootstrap", bootstrap or stage.kafka.bootstrap, "--store", stage.store_url, "--ranker", ranker)
    command = [sys.executable, "-m", "nearline", "explain", *arguments, *at]
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=stage.home, env=env, capture_output=True, text=True, check=False)


def rows(url: str) -> dict[bytes, bytes]:
    with closing(open_store(url)) as kv:
        return dict(kv.scan())


def test_an_alert_is_explained_by_the_addresses_of_brokers_and_stores_and_nothing_is_written(
    stage: Stage,
) -> None:
    stage.send_searches([SEARCH])
    stage.store_features([NURSE])
    found = explain(stage, "a", "nurse-1")
    assert found.returncode == 0, found.stderr
    assert f"ledger   does not hold alert {ALERT}" in found.stdout

    cache = f"lmdb://{stage.home}/cache?sync=os&map_size=64M"
    now_ms = int(time.time() * 1000)
    candidate = Candidate(posting_id="nurse-1", version=1, updated_ms=now_ms)
    stage.send_requests([ScoreRequest(search=SEARCH, candidates=(candidate,), created_ms=now_ms)])
    stage.start("streaming.alert_consumer", "--ranker", "instant:", "--cache", cache)
    stage.until(lambda: [alert.alert_id for alert in stage.alerts()] == [ALERT])
    stage.processes[0].terminate()  # after its turn, at whose end the ledger notes what was sent
    assert stage.processes[0].wait() == 0

    before = rows(stage.store_url), rows(cache)
    found = explain(stage, "a", "nurse-1", "--cache", cache)
    assert found.returncode == 0, found.stderr
    assert "it alerted: this opening's alert was sent  (suppressed)" in found.stdout
    assert f"✓ p_yes {stage.alerts()[0].p_yes:.4f} against 0.6 (from the cache)" in found.stdout
    assert f"ledger   holds alert {ALERT}: sent for score.requests/" in found.stdout
    assert explain(stage, "a", "nurse-1").stdout.count("(from lexical@1)") == 1
    assert (rows(stage.store_url), rows(cache)) == before


def test_what_is_missing_or_away_is_one_line_with_what_to_do(stage: Stage) -> None:
    stage.send_searches([SEARCH])
    stage.store_features([NURSE])
    away = f"127.0.0.1:{free_port()}"
    tokenizer = str(write_tokenizer(stage.home / "tokenizer", word_piece_tokenizer()))
    model = ("--tokenizer", tokenizer)
    cases = [
        (explain(stage, "b", "nurse-1"), 2, "no saved search 'b' among the 1 on topic searches"),
        (explain(stage, "a", "nurse-9"), 2, "no posting 'nurse-9' in lmdb://"),
        (explain(stage, "a", "nurse-1", bootstrap=away), 1, f"no Kafka broker answers ({away}"),
        (explain(stage, "a", "nurse-1", *model, ranker=f"http://{away}"), 1, away),
    ]
    stage.delete_topic(topics.SEARCHES.name)
    cases.append((explain(stage, "a", "nurse-1"), 2, "no such topic on"))
    for found, status, said in cases:
        assert (found.returncode, found.stdout) == (status, ""), found.stderr
        assert said in found.stderr
        assert len(found.stderr.splitlines()) == 1, found.stderr


def test_a_ranker_that_is_away_is_not_waited_for_longer_than_its_deadline(stage: Stage) -> None:
    stage.send_searches([SEARCH])
    stage.store_features([NURSE])
    tokenizer = str(write_tokenizer(stage.home / "tokenizer", word_piece_tokenizer()))
    began = time.monotonic()
    found = explain(stage, "a", "nurse-1", "--tokenizer", tokenizer, ranker=f"http://127.0.0.1:{free_port()}")
    assert found.returncode == 1
    assert time.monotonic() - began < SCORE_DEADLINE_S + 15
