"""A backfill that publishes: a real Spark, a real broker, matcher and consumer as processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nearline.stack.tools import java_home
from schemas.records import SavedSearch
from streaming.kafka import topics
from tests.batch.catalogs import postings, write
from tests.integration.kafka_stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
SEARCHES = [
    SavedSearch(search_id="a", query="nurse surgical ward"),
    SavedSearch(search_id="b", query="welder"),
]
PAIRS = {("a", f"p{n}") for n in range(60)}


def backfill(stage: Stage, catalog: Path, *more: str) -> dict[str, int]:
    """`nearline backfill` as a user runs it; its report."""
    command = [
        *(sys.executable, "-m", "nearline", "backfill", str(catalog), "--store", stage.store_url),
        *(
            "--state",
            str(stage.home / "state"),
            "--report",
            str(stage.home / "report.json"),
            "--chunk-rows",
            "20",
        ),
        *more,
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAVA_HOME": str(java_home())}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report: dict[str, int] = json.loads((stage.home / "report.json").read_text())
    return report


def test_a_catalog_alerts_once_and_not_again_when_its_summaries_are_renewed(stage: Stage) -> None:
    catalog = write(stage.home / "c.jsonl", postings(60))
    publish = ("--publish", stage.kafka.bootstrap)
    stage.send_searches(SEARCHES)
    stage.start("streaming.matcher", instance="m")
    group = ("--group", f"{stage.group}-alerts")
    stage.start("streaming.alert_consumer", *group, "--ranker", "instant:", instance="c")
    assert backfill(stage, catalog, *publish)["summarized"] == 60
    stage.until(lambda: len(stage.alerts()) == len(PAIRS))
    renewed = backfill(stage, catalog, *publish, "--mode", "stale", "--summarizer", "instant:2")
    assert renewed["summarized"] == 60
    stage.until(lambda: len(stage.requests()) > 0 and stage.pairs() == PAIRS)
    stage.quiet(5.0)
    assert {(alert.search_id, alert.posting_id) for alert in stage.alerts()} == PAIRS
    assert len(stage.alerts()) == len(PAIRS)
    assert stage.letters() == []


def test_brokers_that_are_not_there_are_told_before_anything_is_written(stage: Stage) -> None:
    catalog = write(stage.home / "c.jsonl", postings(3))
    with pytest.raises(AssertionError, match="no Kafka broker answers"):
        backfill(stage, catalog, "--publish", "127.0.0.1:1")
    assert list(stage.features.scan()) == []


def test_a_missing_topic_is_told_before_anything_is_written(stage: Stage) -> None:
    stage.delete_topic(topics.FEATURES.name)
    catalog = write(stage.home / "c.jsonl", postings(3))
    with pytest.raises(AssertionError, match=r"postings\.features"):
        backfill(stage, catalog, "--publish", stage.kafka.bootstrap)
    assert list(stage.features.scan()) == []
