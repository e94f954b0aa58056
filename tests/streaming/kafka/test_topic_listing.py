"""A topic is ready when every live broker lists it, as the one that was created, with a leader for each partition."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import pytest
from kafka.errors import KafkaConnectionError
from typing_extensions import override

from schemas.errors import BrokersUnavailable
from streaming.kafka.topic_listing import Cluster, Listed, Wanted, wait_until_listed

OLD, NEW = UUID(int=1), UUID(int=2)


def listed(topic_id: UUID = NEW, leaders: Iterable[int] = (0, 1), error_code: int = 0) -> Listed:
    partitions = [
        {"error_code": 0, "partition_index": n, "leader_id": leader} for n, leader in enumerate(leaders)
    ]
    return {"name": "searches", "error_code": error_code, "topic_id": topic_id, "partitions": partitions}


class Brokers(Cluster):
    """What each broker answers in one round after the other; its last answer stays."""

    def __init__(self, *rounds: dict[int, Listed | None]) -> None:
        self.rounds = list(rounds)
        self.asked: list[int] = []

    @override
    def brokers(self) -> Collection[int]:
        if self.asked and len(self.rounds) > 1:
            self.rounds.pop(0)
        return self.rounds[0].keys()

    @override
    def topics(self, broker: int, names: Iterable[str]) -> Iterable[Listed]:
        self.asked.append(broker)
        answer = self.rounds[0][broker]
        if answer is None:
            raise KafkaConnectionError("refused")
        return [answer]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def wait(cluster: Cluster, wanted: Wanted | None = None, **more: Any) -> float:
    """How long it waited."""
    clock = Clock()
    topics = {"searches": wanted or Wanted(NEW, 2)}
    wait_until_listed(cluster, topics, 30.0, clock=lambda: clock.now_s, sleep=clock.sleep, **more)
    return clock.now_s


def test_topics_that_every_broker_lists_need_no_wait() -> None:
    cluster = Brokers({0: listed(), 1: listed()})
    assert wait(cluster) == 0.0
    assert cluster.asked == [0, 1]


@pytest.mark.parametrize(
    "late",
    [
        {"name": "another", "error_code": 0, "topic_id": NEW, "partitions": []},
        listed(error_code=3),
        listed(OLD),
        listed(leaders=(0, -1)),
        listed(leaders=(0,)),
        None,
    ],
    ids=["not listed", "unknown", "the deleted one", "no leader", "a partition too few", "no answer"],
)
def test_the_last_broker_to_learn_of_a_topic_is_waited_for(late: Listed | None) -> None:
    cluster = Brokers({0: listed(), 1: late}, {0: listed(), 1: late}, {0: listed(), 1: listed()})
    assert wait(cluster) == pytest.approx(0.2)


def test_a_topic_that_existed_before_may_have_any_id_but_needs_its_leaders() -> None:
    assert wait(Brokers({0: listed(OLD)}), Wanted()) == 0.0
    leaderless = listed(OLD, leaders=())
    assert wait(Brokers({0: leaderless}, {0: listed(OLD)}), Wanted()) == pytest.approx(0.1)


def test_a_broker_that_leaves_the_cluster_is_not_waited_for() -> None:
    assert wait(Brokers({0: listed(), 1: None}, {0: listed()})) == pytest.approx(0.1)


def test_at_the_timeout_the_error_names_broker_topic_and_reason() -> None:
    with pytest.raises(
        BrokersUnavailable, match=r"30 s: broker 1, searches: 1 of 2 partitions have a leader$"
    ):
        wait(Brokers({0: listed(), 1: listed(leaders=(0, -1))}))
    with pytest.raises(BrokersUnavailable, match=r"broker 0 does not answer: .*refused"):
        wait(Brokers({0: None}))


def test_a_cluster_without_a_live_broker_is_not_ready() -> None:
    with pytest.raises(BrokersUnavailable, match="no live broker"):
        wait(Brokers({}))
