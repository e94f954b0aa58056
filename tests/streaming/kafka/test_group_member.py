"""A group's member tells its lag while it polls, and leaves with both of its clients."""

from kafka import TopicPartition
from prometheus_client import CollectorRegistry, Gauge

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
