"""The topic of saved searches on Kafka: all that there is first, then what comes."""

from streaming.kafka.topics import SEARCHES
from streaming.searches.feed import KafkaSearchFeed
from tests.support.fake_kafka import FakeConsumer


def test_everything_there_is_comes_first_and_then_only_what_is_new() -> None:
    consumer = FakeConsumer({SEARCHES.name: [[b"1", b"2", b"3"], [b"4"]]})
    feed = KafkaSearchFeed(consumer)
    assert sorted(m.value or b"" for m in feed.read_to_end(lambda: False)) == [b"1", b"2", b"3", b"4"]
    assert feed.poll() == []
    consumer.topics[SEARCHES.name][1].append(b"5")
    assert [(m.partition, m.offset, m.value) for m in feed.poll()] == [(1, 1, b"5")]


def test_a_message_that_comes_while_the_topic_is_read_is_not_lost() -> None:
    consumer = FakeConsumer({SEARCHES.name: [[b"1"]]}, most=5)
    feed = KafkaSearchFeed(consumer)
    reading = feed.read_to_end(lambda: False)
    consumer.topics[SEARCHES.name][0].append(b"2")
    assert [m.value for m in (*reading, *feed.poll())] == [b"1", b"2"]


def test_a_stop_ends_the_first_reading_early() -> None:
    feed = KafkaSearchFeed(FakeConsumer({SEARCHES.name: [[b"1"]]}))
    assert list(feed.read_to_end(lambda: True)) == []
