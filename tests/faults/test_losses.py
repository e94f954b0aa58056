"""What the brokers lose while everything runs: groups, topics, the newest part of their data.

Afterwards the store equals the fold of all that was sent, and every pair has alerted once an opening: as often as the
readers of `alerts` have seen, who remember what a topic has lost. SEED and PORT_BASE as in `stage`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearline.stack.settings import StackSettings
from streaming.kafka import topics
from streaming.tools.replay import send_searches
from tests.faults import losses, world
from tests.faults.losses import Readers, kafka_of
from tests.faults.stage import SEED, compare, running, stack_settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

RATE_PER_S = 20.0
BEFORE_S, AFTER_S = 15.0, 15.0
#: What these hold while they are deleted is lost for good, so that they are deleted when everything in them was read.
READ_FIRST = (topics.UPDATES, topics.ALERTS)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackSettings]:
    with running(stack_settings(tmp_path)) as settings:
        yield settings


@pytest.mark.parametrize(
    ("component", "group"), [("matcher", topics.MATCHER_GROUP), ("consumer", topics.ALERT_GROUP)]
)
def test_a_deleted_group_changes_neither_store_nor_alerts(
    stack: StackSettings, component: str, group: str
) -> None:
    with Readers(kafka_of(stack)) as readers, world.begin(stack, SEED, RATE_PER_S) as load:
        time.sleep(BEFORE_S)
        losses.delete_group(stack, component, group)
        time.sleep(AFTER_S)
        check(stack, load, readers)


@pytest.mark.parametrize("topic", topics.TABLE, ids=lambda topic: topic.name)
def test_a_topic_created_anew_changes_neither_store_nor_alerts(
    stack: StackSettings, topic: topics.Topic
) -> None:
    with Readers(kafka_of(stack)) as readers, world.begin(stack, SEED, RATE_PER_S) as load:
        time.sleep(BEFORE_S)
        if topic in READ_FIRST:
            load.stop()
            losses.await_quiet(stack)
        losses.create_anew(stack, topic)
        if topic is topics.SEARCHES:
            send_searches(kafka_of(stack), world.sample_searches())
        if topic in READ_FIRST:
            load.start()
        time.sleep(AFTER_S)
        check(stack, load, readers)


def test_a_cluster_restored_from_an_older_copy_changes_neither_store_nor_alerts(
    stack: StackSettings, tmp_path: Path
) -> None:
    with Readers(kafka_of(stack)) as readers, world.begin(stack, SEED, RATE_PER_S) as load:
        time.sleep(BEFORE_S)
        losses.copy_data(stack, tmp_path / "copy")
        time.sleep(AFTER_S)
        load.stop()
        losses.await_quiet(stack)
        losses.put_back(stack, tmp_path / "copy")
        load.start()
        time.sleep(AFTER_S)
        check(stack, load, readers)


def test_a_missing_topic_is_one_line_in_the_log_and_no_health(stack: StackSettings) -> None:
    with world.begin(stack, SEED, RATE_PER_S) as load:
        time.sleep(5.0)
        log = stack.log("matcher")
        before = len(log.read_text().splitlines())
        losses.create_anew(stack, topics.SEARCHES, missing_s=20.0)
        said = [line for line in log.read_text().splitlines()[before:] if "searches" in line]
        assert len([line for line in said if "no topic searches" in line]) == 1, said
        assert len(said) < 6, said
        send_searches(kafka_of(stack), world.sample_searches())
        world.await_health(stack, time.time() + 1.0)
        load.stop()


def check(stack: StackSettings, load: world.Load, readers: Readers) -> None:
    """Stop the load, wait for the end, and assert that store and alerts are as if nothing had been lost."""
    sent = load.stop()
    losses.await_quiet(stack)
    compare(stack, sent, readers.seen())
