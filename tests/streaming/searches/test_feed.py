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


def test_a_topic_created_anew_is_read_from_its_beginning_although_it_is_longer_than_before() -> None:
    ids = ["old"]
    consumer = FakeConsumer({SEARCHES.name: [[b"1", b"2"]]}, most=9)
    feed = KafkaSearchFeed(consumer, lambda: ids[0])
    list(feed.read_to_end(lambda: False))
    assert feed.times_begun() == 1
    consumer.topics[SEARCHES.name] = [[b"3", b"4", b"5"]]
    ids[0] = "new"
    assert [m.value for m in feed.poll()] == [b"3", b"4", b"5"]
    assert (feed.times_begun(), feed.poll()) == (2, [])


def test_a_topic_that_lost_its_end_is_read_from_its_beginning() -> None:
    """Kafka's consumer goes back by itself to where the logs part; what it said before that is read again too."""
    consumer = FakeConsumer({SEARCHES.name: [[b"1", b"2", b"3"]]}, most=9)
    feed = KafkaSearchFeed(consumer)
    list(feed.read_to_end(lambda: False))
    consumer.topics[SEARCHES.name] = [[b"1", b"2", b"4"]]
    consumer.positions = dict.fromkeys(consumer.positions, 2)
    assert (feed.poll(), feed.times_begun()) == ([], 2)
    assert [m.value for m in feed.poll()] == [b"1", b"2", b"4"]
    assert feed.times_begun() == 2


def test_an_id_that_becomes_known_later_is_no_other_topic() -> None:
    ids = [""]
    feed = KafkaSearchFeed(FakeConsumer({SEARCHES.name: [[b"1"]]}), lambda: ids[0])
    list(feed.read_to_end(lambda: False))
    ids[0] = "a"
    assert (feed.poll(), feed.times_begun()) == ([], 1)


def test_a_topic_that_is_missing_is_waited_for() -> None:
    ids = ["old"]
    consumer = FakeConsumer({SEARCHES.name: [[b"1"]]})
    feed = KafkaSearchFeed(consumer, lambda: ids[0])
    list(feed.read_to_end(lambda: False))
    partitions = consumer.topics.pop(SEARCHES.name)
    ids[0], consumer.positions = "new", {}
    assert (feed.poll(), feed.times_begun()) == ([], 1)
    consumer.topics[SEARCHES.name] = partitions
    assert [m.value for m in feed.poll()] == [b"1"]
