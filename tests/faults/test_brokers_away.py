"""Brokers that stand still or are gone for longer than any client tries, and a clock that is set back an hour.

Each under load; afterwards the store and the alerts are as if nothing had happened (`stage.check`). AWAY_S sets the
length, which is longer than kafka-python's and Flink's delivery time-outs of 120 s.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nearline.stack import daemon, processes
from nearline.stack.component import answers
from nearline.stack.services import consumer, matcher
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from streaming.kafka.lag import committed
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import MATCHER_GROUP
from tests.faults import world
from tests.faults.stage import SEED, check, running, stack_settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

AWAY_S = float(os.environ.get("AWAY_S", "140"))
MEMBERS = ("matcher", "consumer")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackSettings]:
    with running(stack_settings(tmp_path)) as settings:
        yield settings


def states(stack: StackSettings) -> dict[str, dict[str, object]]:
    return {str(state["name"]): state for state in read_state(stack.home)}


def process(stack: StackSettings, name: str) -> psutil.Process:
    pid = states(stack)[name]["pid"]
    assert isinstance(pid, int)
    return psutil.Process(pid)


@contextmanager
def suspended(stopped: psutil.Process) -> Iterator[None]:
    stopped.suspend()
    try:
        yield
    finally:
        stopped.resume()


@contextmanager
def seen_meanwhile(stack: StackSettings) -> Iterator[set[str]]:
    """What `nearline status` said of the members, read every second."""
    said, over = set[str](), threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            said.update(str(states(stack)[name]["trouble"]) for name in MEMBERS)

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    yield said
    over.set()
    watching.join()


def test_a_broker_that_stands_still_costs_time_only(stack: StackSettings) -> None:
    with world.begin(stack, SEED, rate_per_s=30.0) as load:
        time.sleep(20)
        with seen_meanwhile(stack) as said, suspended(process(stack, "kafka")):
            time.sleep(AWAY_S)
        world.await_health(stack, time.time() + 1.0)
        ended = [name for name in MEMBERS if states(stack)[name]["restarts"]]
        assert ended, "a process that had something to send ends and is started again"
        assert any("do not answer" in line for line in said), "the status says what the members wait for"
        check(stack, load)


def test_a_broker_that_is_gone_costs_time_only(stack: StackSettings) -> None:
    supervisor = daemon.running(stack.home)
    assert supervisor is not None
    with world.begin(stack, SEED, rate_per_s=10.0) as load:
        time.sleep(20)
        with suspended(supervisor):  # which would start it again at once
            world.kill(stack, "kafka")
            time.sleep(AWAY_S)
        world.await_health(stack, time.time() + 1.0)
        check(stack, load)


def test_members_obey_sigterm_while_the_broker_stands_still(stack: StackSettings) -> None:
    with world.begin(stack, SEED, rate_per_s=10.0) as load:
        time.sleep(20)
        with suspended(process(stack, "kafka")):
            time.sleep(10)
            told = [process(stack, name) for name in MEMBERS]
            for member in told:
                member.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(told, timeout=18)
            assert alive == []
        world.await_health(stack, time.time() + 1.0)
        check(stack, load)


@pytest.mark.parametrize("name", MEMBERS)
def test_of_two_processes_with_one_name_one_ends_and_says_so(
    stack: StackSettings, tmp_path: Path, name: str
) -> None:
    """The second one fences the first, which the supervisor starts again, so that the second one is fenced in turn."""
    command = (*{"matcher": matcher, "consumer": consumer}[name](stack).command, "--metrics-port", "0")
    log = tmp_path / "twin.log"
    with world.begin(stack, SEED, rate_per_s=10.0) as load:
        twin = processes.spawn(command, home=tmp_path / "twin", component=name, log=log, env={})
        try:
            assert twin.wait(240) == 1, processes.tail(log)
        finally:
            processes.stop(twin, 5)
        assert "another process has the instance id" in log.read_text()
        world.await_health(stack, time.time() + 1.0)
        check(stack, load)


def test_a_loop_that_stands_still_is_told_from_one_that_has_nothing_to_do(stack: StackSettings) -> None:
    """The probes of an idle matcher stay well; those of a stopped one fail once it runs again, until its next turn."""
    url = f"http://127.0.0.1:{stack.port('matcher_metrics')}/live"
    assert answers(url)
    with suspended(process(stack, "matcher")):
        assert not answers(url)
        assert processes.wait_until(lambda: not states(stack)["matcher"]["healthy"], 30)
    assert processes.wait_until(lambda: answers(url), 30)


def test_a_clock_that_is_set_back_an_hour_stops_neither_windows_nor_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset = tmp_path / "offset"
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).with_name('clock')}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("CLOCK_OFFSET_FILE", str(offset))
    with running(stack_settings(tmp_path)) as stack, world.begin(stack, SEED, rate_per_s=10.0) as load:
        kafka = KafkaSettings(bootstrap=stack.bootstrap)
        assert processes.wait_until(_moved(kafka, 0), 120)
        offset.write_text("-3600")
        time.sleep(5)
        before = _matched(kafka)
        assert processes.wait_until(_moved(kafka, before + 50), 120), "the matcher goes on committing"
        check(stack, load)


def _matched(kafka: KafkaSettings) -> int:
    return sum(committed(kafka, MATCHER_GROUP).values())


def _moved(kafka: KafkaSettings, beyond: int) -> Callable[[], bool]:
    return lambda: _matched(kafka) > beyond
