"""The whole local stack: the sample goes in, features and alerts come out, parts die in between, nothing is left."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.client.remote import open_ranker, open_summarizer
from nearline.stack import daemon, processes
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from pipeline.local import LocalPath
from schemas.errors import ConfigError
from schemas.events import BrokenLine, read_events
from schemas.records import Alert, FeatureRecord, State
from storage.features import FeatureStore
from storage.memory import MemoryStore
from storage.opening import open_store
from storage.tools.dump import record_dict
from streaming.kafka.settings import KafkaSettings
from streaming.tools.replay import replay_updates, send_searches
from tests.docker.exported import FLINK_OWN, FLINK_PREFIX, feature_job, missing
from tests.faults import verify, world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(stack_settings: StackSettings) -> Iterator[StackSettings]:
    home = stack_settings.home.with_name(stack_settings.home.name + "-whole")
    settings = StackSettings(
        home=home, port_base=stack_settings.port_base + 100, models="instant", parallelism=2, checkpoint_s=2.0
    )
    daemon.up(settings)
    yield settings
    left = daemon.down(home)
    still = processes.marked(home)
    assert (left, still) == (0, []), "down leaves nothing to kill and nothing running"
    shutil.rmtree(home)


def nearline(stack: StackSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nearline", *arguments, "--home", str(stack.home)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"}
    )


def test_a_replay_with_kills_in_its_middle_ends_as_the_same_functions_in_one_process(
    stack: StackSettings,
) -> None:
    check_replay_with_kills(stack)


def check_replay_with_kills(stack: StackSettings) -> None:
    """Records equal to those of one process, every promise about alerts kept."""
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    events = list(read_events(world.SAMPLE / "stream.jsonl"))
    searches = world.sample_searches()
    send_searches(kafka, searches)
    replay_updates(kafka, enumerate(events[: len(events) // 2], start=1), rate_per_s=60)
    for component in ("consumer", "taskmanager", "matcher"):
        world.kill(stack, component)
    replay_updates(kafka, enumerate(events[len(events) // 2 :], start=1), rate_per_s=60)
    observer = world.await_end(stack, len(events), timeout_s=240)
    observer.close()

    assert observer.seen.counts()["dead_letters"] == sum(isinstance(event, BrokenLine) for event in events)
    summarizer, ranker = open_summarizer("instant:"), open_ranker("instant:")
    local = LocalPath(MemoryStore(time.time), summarizer, ranker)
    local.subscribe(searches)
    local.replay(events)
    with closing(open_store(stack.store_url)) as store:
        final = {record.posting_id: record for record in FeatureStore(store).scan()}
    assert {k: record_dict(r) for k, r in final.items()} == {
        r.posting_id: record_dict(r) for r in local.features.scan()
    }
    evidence = verify.gather(kafka)
    stored = verify.stored_at(events, summarizer, ranker)
    assert verify.broken_promises(evidence, final, searches, ranker, stored) == []
    assert len(evidence.alerts) > 10


def test_status_shows_every_component_and_its_restarts(stack: StackSettings) -> None:
    world.await_health(stack, time.time(), 120)
    shown = nearline(stack, "status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    names = ["kafka", "jobmanager", "taskmanager", "feature-job", "matcher", "consumer"]
    assert all(name in shown.stdout for name in names)
    assert {s["name"]: s["restarts"] for s in read_state(stack.home)}["taskmanager"] == 1


def test_a_running_flink_and_the_supervisor_show_every_metric_that_rules_and_pages_name(
    stack: StackSettings,
) -> None:
    # A stack without a ranker measures no drift.
    wanted = {*FLINK_OWN, *(name for name in feature_job() if "_drift_" not in name)}
    assert processes.wait_until(lambda: missing(wanted, flink_metrics(stack)) == [], 60), missing(
        wanted, flink_metrics(stack)
    )
    assert value(flink_metrics(stack), f"{FLINK_PREFIX}batches") > 0
    assert value(flink_metrics(stack), f"{FLINK_PREFIX}batch_ms") > 0
    supervisor = httpx.get(f"http://127.0.0.1:{stack.port('supervisor_metrics')}/metrics").text
    assert missing(["nearline_component_healthy", "nearline_component_restarts"], supervisor) == []


def flink_metrics(stack: StackSettings) -> str:
    """What Flink's reporter shows on both of its ports."""
    ports = (stack.port(role) for role in ("jobmanager_metrics", "taskmanager_metrics"))
    return "\n".join(httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in ports)


def value(page: str, name: str) -> float:
    """The sum of a metric's samples."""
    families = text_string_to_metric_families(page)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def test_the_store_and_the_dead_letters_can_be_read_by_command(stack: StackSettings) -> None:
    dumped = nearline(stack, "store", "dump")
    assert dumped.returncode == 0, dumped.stderr
    assert len(dumped.stdout.splitlines()) > 60
    listed = nearline(stack, "dlq", "list")
    assert "postings.updates/" in listed.stdout


def test_explain_says_why_a_pair_alerted(stack: StackSettings) -> None:
    with closing(open_store(stack.store_url)) as store:
        stored = {record.posting_id: record for record in FeatureStore(store).scan()}
    alerts = verify.gather(KafkaSettings(bootstrap=stack.bootstrap)).alerts
    current = [a for a in alerts if _is_of_present_opening(a, stored[a.posting_id])]
    assert current, "no alert of the sample is of a posting that is still open as it was"
    alert = current[0]
    shown = nearline(stack, "explain", alert.search_id, alert.posting_id)
    assert shown.returncode == 0, shown.stderr
    assert f"✓ p_yes {alert.p_yes:.4f} against" in shown.stdout
    assert f"ledger   holds alert {alert.alert_id}: sent for score.requests/" in shown.stdout


def _is_of_present_opening(alert: Alert, record: FeatureRecord) -> bool:
    """Whether the pair would be scored as it was when it alerted."""
    return record.state is State.OPEN and (record.version, record.episode) == (alert.version, alert.episode)


def test_a_second_stack_in_the_same_home_is_refused(stack: StackSettings) -> None:
    with pytest.raises(ConfigError, match="already up"):
        daemon.up(stack)


def test_a_stack_whose_ports_are_taken_is_refused_and_starts_nothing(
    stack: StackSettings, tmp_path: Path
) -> None:
    other = StackSettings(home=tmp_path / "other", port_base=stack.port_base)
    with pytest.raises(ConfigError, match=r"ports in use: .*\(kafka\)"):
        daemon.up(other)
    assert processes.marked(other.home) == []
