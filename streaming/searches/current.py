"""Read the saved searches that are subscribed now, once, from the topic."""

import time
from collections.abc import Callable

from kafka.errors import KafkaError

from schemas.codec import Codec
from schemas.errors import BrokersUnavailable, ConfigError
from schemas.records import SavedSearch
from streaming.kafka import clients
from streaming.kafka.admin import require_topics
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import SEARCHES
from streaming.searches.feed import KafkaSearchFeed, SearchFeed
from streaming.searches.table import SearchTable

READ_TIMEOUT_S = 15.0


def current_search(kafka: KafkaSettings, codec: Codec, search_id: str) -> SavedSearch:
    """The subscribed search with this id.

    Raises ConfigError when there is none or the topic is missing, BrokersUnavailable when the topic cannot be read to
    its end within `READ_TIMEOUT_S`.
    """
    try:
        require_topics(kafka, (SEARCHES.name,))
        with clients.reader(kafka, bootstrap_timeout_ms=15_000) as consumer:
            table = read_table(KafkaSearchFeed(consumer), codec, READ_TIMEOUT_S)
    except KafkaError as error:
        raise BrokersUnavailable(
            f"topic {SEARCHES.name} of {kafka.bootstrap} cannot be read: {error}"
        ) from error
    return find(table, search_id, kafka.bootstrap)


def read_table(
    feed: SearchFeed, codec: Codec, timeout_s: float, clock: Callable[[], float] = time.monotonic
) -> SearchTable:
    """All saved searches up to the end that the topic has now. BrokersUnavailable when `timeout_s` passes before."""
    table, deadline_s = SearchTable(codec), clock() + timeout_s
    for message in feed.read_to_end(lambda: clock() > deadline_s):
        table.apply(message)
    if clock() > deadline_s:
        raise BrokersUnavailable(
            f"topic {SEARCHES.name} was not read to its end within {timeout_s:g} s: can the addresses that the brokers "
            "advertise be reached from here?"
        )
    return table


def find(table: SearchTable, search_id: str, brokers: str) -> SavedSearch:
    """The search with this id; ConfigError says why there may be none."""
    found = table.subscriptions.get(search_id)
    if found is not None:
        return found.search
    unreadable = f" (unreadable messages there: {len(table.unreadable)}; is --schema-registry right?)"
    raise ConfigError(
        f"no saved search {search_id!r} among the {len(table.subscriptions)} on topic {SEARCHES.name} of {brokers}"
        f"{unreadable if table.unreadable else ''}: the id is wrong, or the search was unsubscribed"
    )
