"""What our settings of kafka-python's clients promise, seen at a real broker."""

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streaming.kafka import clients, topics
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.whole_topic import scan

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def values(kafka: KafkaSettings, topic: str) -> list[bytes | None]:
    return [m.value for batch in scan(kafka, topic) for m in batch]


def test_a_reader_sees_no_message_of_an_aborted_transaction_and_reaches_the_end_behind_it(
    kafka: KafkaSettings,
) -> None:
    producer = clients.producer(kafka, transactional_id="test-clients")
    producer.init_transactions()
    for value, commit in ((b"kept", True), (b"aborted", False)):
        producer.begin_transaction()
        clients.send(producer, Outgoing(topics.DLQ.name, None, value)).get(timeout=30)
        (producer.commit_transaction if commit else producer.abort_transaction)()
    producer.close()
    assert values(kafka, topics.DLQ.name) == [b"kept"]


def test_no_client_creates_a_misspelt_topic(kafka: KafkaSettings) -> None:
    producer = clients.producer(kafka, max_block_ms=2_000)
    with pytest.raises(KafkaError):
        clients.send(producer, Outgoing("postings.updatse", None, b"x")).get(timeout=5)
    producer.close(timeout=1)
    with clients.reader(kafka) as reader:
        assert not reader.partitions_for_topic("postings.updatse")
    admin = KafkaAdminClient(**kafka.python())
    assert "postings.updatse" not in admin.list_topics()
    admin.close()


def test_a_new_group_reads_from_the_beginning_and_goes_on_where_it_committed(kafka: KafkaSettings) -> None:
    producer = clients.producer(kafka)
    for value in (b"1", b"2"):
        clients.send(producer, Outgoing(topics.DLQ.name, None, value)).get(timeout=30)
    read: list[list[bytes | None]] = []
    for _ in range(2):
        consumer = clients.group_consumer(
            kafka,
            topics.DLQ.name,
            group="test-clients",
            instance_id="one",
            session_timeout_s=6.0,
            max_poll_records=1,
        )
        polled = clients.poll(consumer, 30.0)
        read.append([m.value for m in polled])
        consumer.commit()
        consumer.close()
    assert read == [[b"1"], [b"2"]]
    producer.close()
