"""Whatever is killed in the middle of a replay, the store and the alerts end as if nothing had been.

`make faults` runs this; KILLS sets the number of kills of each component, SEED their moments, PORT_BASE the ports, so
that several can run at once.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from schemas.events import BrokenLine
from streaming.kafka.settings import KafkaSettings
from streaming.tools.observer import Observer
from tests.faults import world
from tests.faults.stage import PORT_BASE, SEED, TOKENIZER, check, running, stack_settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

KILLS = int(os.environ.get("KILLS", "20"))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackSettings]:
    with running(stack_settings(tmp_path)) as settings:
        yield settings


@pytest.mark.parametrize(
    "component", ["taskmanager", "jobmanager", "matcher", "consumer", "models", "kafka", "python worker"]
)
def test_killing_it_again_and_again_changes_neither_store_nor_alerts(
    stack: StackSettings, component: str
) -> None:
    with world.begin(stack, SEED, rate_per_s=30.0) as load:
        _kill_repeatedly(stack, component)
        check(stack, load)


@pytest.mark.parametrize(
    "step", ["stored", "requests-sent", "after-ledger", "after-produce", "before-commit"]
)
def test_dying_between_two_effects_changes_neither_store_nor_alerts(stack: StackSettings, step: str) -> None:
    with world.begin(stack, SEED, rate_per_s=30.0) as load:
        for wait_s in _moments():
            time.sleep(wait_s)
            world.kill_at(stack, step)
            world.await_health(stack, time.time() + 1.0)
        check(stack, load)


def test_losing_the_taskmanager_between_produce_and_commit_changes_neither(stack: StackSettings) -> None:
    with world.begin(stack, SEED, rate_per_s=30.0) as load:
        with closing(Observer(KafkaSettings(bootstrap=stack.bootstrap))) as watch:
            for wait_s in _moments():
                time.sleep(wait_s)
                world.kill_before_commit(stack, watch)
                world.await_health(stack, time.time() + 1.0)
        check(stack, load)


def test_a_model_server_that_stalls_for_eleven_minutes_costs_time_only(stack: StackSettings) -> None:
    with world.begin(stack, SEED, rate_per_s=2.0) as load:
        time.sleep(20)
        world.freeze(stack, "models", 11 * 60.0)
        lost = [
            state for state in read_state(stack.home) if state["name"] == "taskmanager" and state["restarts"]
        ]
        assert lost == [], "the TaskManager was lost during the stall"
        seen = check(stack, load)
        broken = sum(isinstance(event, BrokenLine) for event in load.sent)
        assert seen.counts()["dead_letters"] == broken, "an outage dead-letters nothing"


def test_an_hour_without_model_server_on_a_clock_thirty_times_as_fast_costs_time_only(tmp_path: Path) -> None:
    """Deadline, backoff, checkpoints and their time-out are a thirtieth of the defaults; so is the hour."""
    server = world.OwnModelServer(tmp_path, PORT_BASE + 130, TOKENIZER)
    scaled = {
        "deadline_s": 45 / 30,
        "max_backoff_s": 60 / 30,
        "checkpoint_s": 10 / 30,
        "checkpoint_timeout_s": 600 / 30,
    }
    with (
        server,
        running(stack_settings(tmp_path, models=server.url, **scaled)) as stack,
        world.begin(stack, SEED, rate_per_s=10.0) as load,
    ):
        time.sleep(20)
        server.stop()
        time.sleep(3600 / 30)
        server.start()
        seen = check(stack, load)
        assert {state["name"]: state["restarts"] for state in read_state(stack.home)}["taskmanager"] == 0
        assert world.job_restarts(stack) == 0
    broken = sum(isinstance(event, BrokenLine) for event in load.sent)
    assert seen.counts()["dead_letters"] == broken, "an outage dead-letters nothing"


def _moments() -> list[float]:
    rng = random.Random(SEED)
    return [rng.uniform(0.2, 4.0) for _ in range(KILLS)]


def _kill_repeatedly(stack: StackSettings, component: str) -> None:
    rng = random.Random(SEED)
    for wait_s in _moments():
        time.sleep(wait_s)
        struck = time.time()
        if component == "python worker":
            world.kill_python_worker(stack, rng)
        else:
            world.kill(stack, component)
        time.sleep(1.0)
        world.await_health(stack, struck + 1.0)
