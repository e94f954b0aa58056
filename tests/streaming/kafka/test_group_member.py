"""A group's member tells its lag while it polls, and leaves with both of its clients."""

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry, Gauge

from streaming.kafka import commit_metadata
from streaming.kafka.group_member import GroupMember
from tests.support.fake_kafka import FakeConsumer, FakeProducer


def member(consumer: FakeConsumer) -> tuple[GroupMember, FakeProducer, Gauge]:
    gauge = Gauge("lag", "Lag.", ["partition"], registry=CollectorRegistry())
    producer = FakeProducer()
    consumer.assign([TopicPartition("t", n) for n in range(2)])
    return GroupMember(consumer, producer, gauge), producer, gauge


def lags(gauge: Gauge) -> dict[str, float]:
    return {s.labels["partition"]: s.value for metric in gauge.collect() for s in metric.samples}


def test_a_poll_returns_messages_and_sets_the_lag_of_every_partition() -> None:
    made, _, gauge = member(FakeConsumer({"t": [[b"a"] * 5, [b"b"]]}, most=2))
    assert [m.value for m in made.poll(0.0)] == [b"a", b"a", b"b"]
    assert lags(gauge) == {"0": 3.0, "1": 0.0}


def test_a_broker_that_does_not_tell_its_ends_costs_the_gauge_and_no_message() -> None:
    consumer = FakeConsumer({"t": [[b"a"], []]})
    consumer.silent = True
    made, _, gauge = member(consumer)
    assert [m.value for m in made.poll(0.0)] == [b"a"]
    assert lags(gauge) == {}


def test_closing_closes_consumer_and_producer() -> None:
    consumer = FakeConsumer({"t": [[], []]})
    made, producer, _ = member(consumer)
    made.close()
    assert consumer.closed
    assert producer.closed


def test_a_poll_tells_where_the_partitions_end() -> None:
    seen: list[dict[int, int]] = []
    gauge = Gauge("lag", "Lag.", ["partition"], registry=CollectorRegistry())
    consumer = FakeConsumer({"t": [[b"a", b"b", b"c", b"d"], [b"e"]]}, most=1)
    consumer.assign([T0, T1])
    made = GroupMember(consumer, FakeProducer(), gauge, ends_seen=lambda _, ends: seen.append(dict(ends)))
    made.poll(0.0)
    made.poll(0.0)
    assert seen == [{0: 4, 1: 1}], "not more often than the lag is measured"


T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


def watching(consumer: FakeConsumer, ids: dict[str, str]) -> GroupMember:
    gauge = Gauge("lag", "Lag.", ["partition"], registry=CollectorRegistry())
    consumer.assign([T0, T1])
    return GroupMember(consumer, FakeProducer(), gauge, topic="t", topic_ids=lambda: ids)


def commit(offset: int, topic_id: str) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, commit_metadata.write({"t": topic_id}), -1)


def test_a_commit_of_a_deleted_topic_is_void_and_its_namesake_is_read_from_the_beginning() -> None:
    consumer = FakeConsumer({"t": [[b"a", b"b", b"c"], [b"d", b"e"]]}, most=9)
    made = watching(consumer, {"t": "new"})
    consumer.commits = {T0: commit(2, "old"), T1: commit(1, "new")}
    consumer.generation, consumer.positions = 1, {T0: 2, T1: 1}
    assert [m.value for m in made.poll(0.0)] == [b"e"], "what stood behind the void offset is left out"
    assert made.commits == {T0: None, T1: commit(1, "new")}
    assert [m.value for m in made.poll(0.0)] == [b"a", b"b", b"c"]


def test_a_topic_that_is_created_anew_while_it_is_read_is_read_from_the_beginning() -> None:
    consumer, ids = FakeConsumer({"t": [[b"a", b"b"], []]}, most=9), {"t": "old"}
    made = watching(consumer, ids)
    consumer.generation = 1
    assert [m.value for m in made.poll(0.0)] == [b"a", b"b"]
    consumer.topics["t"][0] = [b"x", b"y", b"z"]
    ids["t"] = "new"
    assert [m.value for m in made.poll(0.0)] == [b"x", b"y", b"z"]
    assert made.commits == {T0: None, T1: None}, "the caller learns of it as of a rebalance"
    assert made.poll(0.0) == []


def test_a_topic_created_anew_while_nothing_of_it_is_assigned_is_waited_for() -> None:
    consumer, ids = FakeConsumer({"t": [[b"a"], []]}, most=9), {"t": "old"}
    made = watching(consumer, ids)
    consumer.generation = 1
    made.poll(0.0)
    consumer.positions, ids["t"] = {}, "new"
    assert made.poll(0.0) == []
    consumer.assign([T0, T1])
    assert [m.value for m in made.poll(0.0)] == [b"a"]


@pytest.mark.parametrize(("committed", "now"), [("", "new"), ("old", ""), ("same", "same")])
def test_an_id_that_is_not_known_or_the_same_voids_nothing(committed: str, now: str) -> None:
    consumer = FakeConsumer({"t": [[b"a", b"b"], []]})
    made = watching(consumer, {"t": now} if now else {})
    consumer.commits = {T0: commit(1, committed)}
    consumer.generation, consumer.positions = 1, {T0: 1, T1: 0}
    assert [m.value for m in made.poll(0.0)] == [b"b"]


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", '{"topics": 3}', '{"searches":{"0":1}}'])
def test_metadata_of_others_name_no_topic(text: str) -> None:
    assert commit_metadata.topic_ids(text) == {}
