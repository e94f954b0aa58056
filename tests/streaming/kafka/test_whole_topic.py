"""Topics read from their beginning to the end that they had, outside any group."""

from kafka import TopicPartition

from streaming.kafka.whole_topic import WholeTopics
from tests.support.fake_kafka import CONTROL, FakeConsumer


def values(topics: WholeTopics) -> list[bytes]:
    return [m.value or b"" for batch in topics.read_until(topics.ends()) for m in batch]


def test_every_partition_of_every_topic_is_read_to_its_end() -> None:
    consumer = FakeConsumer({"a": [[b"1", b"2", b"3"], [b"4"]], "b": [[b"5"]]})
    assert sorted(values(WholeTopics(consumer, ("a", "b")))) == [b"1", b"2", b"3", b"4", b"5"]


def test_a_topic_that_ends_in_control_records_is_read_to_its_end() -> None:
    consumer = FakeConsumer({"a": [[b"1", CONTROL, CONTROL, CONTROL, CONTROL]]})
    assert values(WholeTopics(consumer, ("a",))) == [b"1"]
    assert consumer.positions == {TopicPartition("a", 0): 5}


def test_messages_that_come_meanwhile_are_left_for_the_next_poll() -> None:
    consumer = FakeConsumer({"a": [[b"1", b"2"]]})
    topics = WholeTopics(consumer, ("a",))
    ends = topics.ends()
    consumer.topics["a"][0] += [b"3", b"4"]
    assert [m.value for batch in topics.read_until(ends) for m in batch] == [b"1", b"2"]
    assert [m.value for m in topics.poll(0.0)] == [b"3", b"4"]


def test_reading_from_the_end_sees_only_what_comes_later() -> None:
    consumer = FakeConsumer({"a": [[b"1"]]})
    topics = WholeTopics(consumer, ("a",), from_beginning=False)
    consumer.topics["a"][0].append(b"2")
    assert [m.value for m in topics.poll(0.0)] == [b"2"]


def test_a_stop_ends_reading_before_the_end() -> None:
    consumer = FakeConsumer({"a": [[b"1"] * 10]})
    topics = WholeTopics(consumer, ("a",))
    seen = list(topics.read_until(topics.ends(), lambda: consumer.polls >= 2))
    assert len(seen) == 2


def test_a_topic_that_does_not_exist_has_nothing_to_read() -> None:
    assert values(WholeTopics(FakeConsumer({}), ("absent",))) == []
