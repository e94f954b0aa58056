"""One reading of the saved searches: all of them, the one that is asked for, or why there is none."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from typing_extensions import override

from schemas.codec import Codec, encode
from schemas.errors import BrokersUnavailable, ConfigError
from schemas.records import SavedSearch
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message
from streaming.searches.current import find, read_table
from streaming.searches.feed import SearchFeed
from streaming.searches.memory_feed import MemorySearchFeed
from streaming.searches.table import SearchTable

NURSE = SavedSearch(search_id="nurse", query="night nurse")


def table(*searches: tuple[str, bytes | None]) -> SearchTable:
    topic = MemoryTopic(topics.SEARCHES.name)
    for search_id, value in searches:
        topic.append(value, key=search_id.encode())
    return read_table(MemorySearchFeed(topic), Codec(), 10.0)


def test_the_newest_wording_of_a_subscribed_search_is_found() -> None:
    newer = SavedSearch(search_id="nurse", query="nurse")
    assert find(table(("nurse", encode(NURSE)), ("nurse", encode(newer))), "nurse", "k:1") == newer


def test_an_unknown_and_an_unsubscribed_search_are_named_with_the_topic_and_its_brokers() -> None:
    left = table(("nurse", encode(NURSE)), ("a", encode(SavedSearch(search_id="a", query="x"))), ("a", None))
    for search_id in ("a", "b"):
        with pytest.raises(ConfigError, match=f"'{search_id}' among the 1 on topic searches of k:1: the id"):
            find(left, search_id, "k:1")


def test_messages_that_cannot_be_read_are_counted_because_the_registry_may_be_missing() -> None:
    with pytest.raises(ConfigError, match="unreadable messages there: 1; is --schema-registry right"):
        find(table(("nurse", b"\x00\x00\x00\x00\x01framed")), "nurse", "k:1")


class Endless(SearchFeed):
    """A topic whose end is never reached: its brokers answer only that they exist."""

    @override
    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        while not stopped():
            yield Message(topics.SEARCHES.name, 0, 0, 0, b"nurse", encode(NURSE))

    @override
    def times_begun(self) -> int:
        return 1

    def poll(self) -> list[Message]:
        return []


def test_reading_ends_after_its_time_and_says_what_may_be_wrong() -> None:
    seconds = count()
    with pytest.raises(BrokersUnavailable, match=r"15 s.*addresses that the brokers advertise"):
        read_table(Endless(), Codec(), 15.0, clock=lambda: float(next(seconds)))
