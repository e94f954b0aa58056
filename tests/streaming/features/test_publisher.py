"""Records that a backfill publishes: how they look on the topic, which are refused, and what an outage is."""

import pytest
from kafka.errors import KafkaTimeoutError

from schemas.codec import Codec, encode
from schemas.errors import BrokersUnavailable
from streaming.features.messages import MAX_FEATURE_BYTES
from streaming.features.publisher import KafkaPublisher
from streaming.kafka.topics import FEATURES
from tests.pipeline.builders import feature
from tests.support.fake_kafka import FakeProducer


def publisher(producer: FakeProducer) -> KafkaPublisher:
    return KafkaPublisher(lambda: producer, Codec(), framed=False)


def test_records_are_sent_as_the_store_has_them_and_say_that_a_backfill_sent_them() -> None:
    producer, data = FakeProducer(), encode(feature(posting_id="p-é"))
    assert publisher(producer).publish_many({"p-é": data}) == {}
    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.value) == (FEATURES.name, "p-é".encode(), data)
    assert sent.headers["source"] == b"backfill"
    assert sent.headers["source_ts"].isdigit()


def test_a_record_too_large_for_the_topic_is_refused_and_the_others_are_sent() -> None:
    producer = FakeProducer()
    refused = publisher(producer).publish_many({"large": bytes(MAX_FEATURE_BYTES), "small": b"record"})
    assert list(refused) == ["large"]
    assert "too large for postings.features" in refused["large"]
    assert [sent.key for sent in producer.sent] == [b"small"]


def test_a_message_that_is_not_acknowledged_is_an_outage() -> None:
    with pytest.raises(BrokersUnavailable, match=r"postings\.features: .*timed out"):
        publisher(FakeProducer(KafkaTimeoutError("timed out"))).publish_many({"p": b"record"})


def test_closing_closes_the_producer() -> None:
    producer = FakeProducer()
    publisher(producer).close()
    assert producer.closed
