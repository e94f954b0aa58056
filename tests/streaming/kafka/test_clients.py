"""What our loops get of kafka-python's clients, and what they never see of a broker that is away."""

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from streaming.kafka import clients
from streaming.kafka.messages import Message, Outgoing
from tests.support.fake_kafka import FakeConsumer, FakeProducer, Record, Sent


def consumer() -> FakeConsumer:
    made = FakeConsumer({"t": [[b"a", b"b"], [b"c"]]})
    made.assign([TopicPartition("t", 0), TopicPartition("t", 1)])
    return made


def test_polled_records_are_messages_partition_after_partition_in_offset_order() -> None:
    polled = {
        TopicPartition("t", 1): [Record("t", 1, 7, 99, b"k", b"v", [("h", b"1")])],
        TopicPartition("t", 0): [Record("t", 0, 3), Record("t", 0, 4)],
    }
    first, second, third = clients.messages(polled)
    assert first == Message("t", 1, 7, 99, b"k", b"v", {"h": b"1"})
    assert [(m.partition, m.offset) for m in (second, third)] == [(0, 3), (0, 4)]


def test_a_poll_during_an_outage_is_an_empty_one_and_the_next_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = consumer()
    client.errors = [KafkaConnectionError("refused")]
    assert clients.poll(client, 0.0) == []
    assert "cannot poll: " in caplog.text
    assert [m.value for m in clients.poll(client, 0.0)] == [b"a", b"b", b"c"]


def test_a_poll_that_can_never_work_raises() -> None:
    client = consumer()
    client.errors = [TopicAuthorizationFailedError("t")]
    with pytest.raises(TopicAuthorizationFailedError):
        clients.poll(client, 0.0)


def test_a_message_is_sent_with_its_key_value_and_headers() -> None:
    producer = FakeProducer()
    clients.send(producer, Outgoing("t", b"k", None, {"h": b"1"}))
    assert producer.sent == [Sent("t", b"k", None, {"h": b"1"})]
