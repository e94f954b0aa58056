"""Matcher, alert consumer and replay at one real broker that stands still, under one name, or with a clock set back.

Without Flink and models, so that it takes little of a machine; `test_brokers_away.py` has the whole stack.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nearline.stack import processes
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port
from schemas.records import SavedSearch
from streaming.kafka.lag import committed, end_offsets
from streaming.kafka.topics import UPDATES
from tests.faults.test_brokers_away import AWAY_S, suspended
from tests.integration.kafka_stage import Stage, gauge
from tests.pipeline.builders import feature

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

MATCHER, CONSUMER = "streaming.matcher", "streaming.alert_consumer"
SEARCH = SavedSearch(search_id="s", query="nurse", threshold=0.1)


@contextmanager
def silent(settings: StackSettings) -> Iterator[None]:
    """The broker stands still."""
    (broker,) = processes.marked(settings.home, "kafka")
    with suspended(broker):
        yield


def holding(stage: Stage, window_s: str) -> subprocess.Popen[bytes]:
    """A matcher that has read ten postings and will send their requests when its windows end."""
    port = free_port()
    stage.send_searches([SEARCH])
    made = stage.start(MATCHER, "--window-s", window_s, "--commit-s", "60", "--metrics-port", str(port))
    assert processes.wait_until(lambda: gauge(port, "nearline_matcher_searches ") == 1, 90), stage.logs()
    stage.send_features([feature(posting_id=f"p{n}", title="Nurse") for n in range(10)])
    assert processes.wait_until(lambda: gauge(port, "nearline_matcher_features_total") == 10, 60), (
        stage.logs()
    )
    return made


def pairs(stage: Stage) -> bool:
    return stage.pairs() == {("s", f"p{n}") for n in range(10)}


def replay(stage: Stage, events: Path) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "nearline", "replay", str(events), "--bootstrap", stage.kafka.bootstrap)
    return subprocess.Popen(
        [*command, "--rate", "5"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_matcher_and_a_replay_that_cannot_send_end_and_begin_again(
    stage: Stage, stack_settings: StackSettings, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    lines = [json.dumps({"op": "close", "ts": "2026-03-04", "id": f"p{n}"}) for n in range(200)]
    events.write_text("\n".join(lines))
    matcher, sender = holding(stage, "30"), replay(stage, events)
    assert processes.wait_until(lambda: any(end_offsets(stage.kafka, UPDATES.name).values()), 25)
    with silent(stack_settings):
        assert matcher.wait(AWAY_S) == 1, stage.logs()
        assert "have not acknowledged a message" in stage.logs()
        said, _ = sender.communicate(timeout=AWAY_S)
    assert sender.returncode == 1
    assert "updates sent are acknowledged" in said
    assert "send the file again" in said
    again = replay(stage, events)
    assert again.communicate(timeout=120)[0]
    assert again.returncode == 0
    stage.start(MATCHER)
    stage.until(lambda: pairs(stage), 120)


def test_members_obey_sigterm_while_they_wait_for_a_silent_broker(
    stage: Stage, stack_settings: StackSettings
) -> None:
    consumer, matcher = stage.start(CONSUMER, "--ranker", "instant:"), holding(stage, "3")
    with silent(stack_settings):
        time.sleep(10)  # the matcher waits for the acknowledgements of its windows
        for member in (consumer, matcher):
            member.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(
            [psutil.Process(p.pid) for p in (consumer, matcher) if p.poll() is None], 18
        )
        assert alive == [], stage.logs()
    stage.start(MATCHER)
    stage.until(lambda: pairs(stage), 120)


@pytest.mark.parametrize(("module", "options"), [(MATCHER, ()), (CONSUMER, ("--ranker", "instant:"))])
def test_of_two_processes_with_one_name_the_first_ends_and_names_it(
    stage: Stage, module: str, options: tuple[str, ...]
) -> None:
    port = free_port()
    first = stage.start(module, *options, "--metrics-port", str(port), instance="twin")
    assert processes.wait_until(lambda: gauge(port, "nearline_last_turn_age_seconds") >= 0, 60)
    time.sleep(10)
    stage.start(module, *options, instance="twin")
    assert first.wait(120) == 1, stage.logs()
    assert "another process has the instance id 'twin'" in stage.logs()


def test_a_matcher_whose_clock_is_set_back_an_hour_goes_on_sending_and_committing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset, root = tmp_path / "offset", Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).with_name('clock')}:{root}")
    monkeypatch.setenv("CLOCK_OFFSET_FILE", str(offset))
    stage.send_searches([SEARCH])
    stage.start(MATCHER)
    stage.send_features([feature(posting_id=f"p{n}", title="Nurse") for n in range(5)])
    stage.until(lambda: len(stage.pairs()) == 5)
    offset.write_text("-3600")
    stage.send_features([feature(posting_id=f"p{n}", title="Nurse") for n in range(5, 10)])
    stage.until(lambda: pairs(stage))
    assert processes.wait_until(lambda: sum(committed(stage.kafka, stage.group).values()) == 10, 30), (
        stage.logs()
    )
