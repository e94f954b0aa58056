"""All saved searches, built from the messages of the compacted topic `searches`."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import SavedSearch
from streaming.kafka.messages import Message
from streaming.searches.share import EVERY_SEARCH, SearchShare

#: Next offset by partition of the topic `searches`.
Offsets = Mapping[int, int]


class Subscription(NamedTuple):
    """A saved search, and where the message that subscribed it stands on the topic."""

    search: SavedSearch
    partition: int
    offset: int
    timestamp_ms: int


class UnreadableSearch(NamedTuple):
    """A message that is not a valid saved search, and why."""

    message: Message
    reason: str


class Unsubscription(NamedTuple):
    """A search was unsubscribed by a message without a value."""

    search_id: str


class SearchTable:
    """The subscriptions by search id, the next offset of each partition, and the unreadable messages so far.

    `share`: the part of the searches that the table holds; of the others it notes the offsets alone.
    """

    def __init__(self, codec: Codec, share: SearchShare = EVERY_SEARCH) -> None:
        self._codec, self._share = codec, share
        self.subscriptions: dict[str, Subscription] = {}
        self.positions: dict[int, int] = {}
        self.unreadable: list[UnreadableSearch] = []

    def apply(self, message: Message) -> Subscription | Unsubscription | UnreadableSearch | None:
        """Apply one message and return the change; None for a search that is as before, or of another part.

        Raises RegistryUnavailable.
        """
        self.positions[message.partition] = message.offset + 1
        if not self._share.holds(message.key or b""):
            return None
        try:
            change = _read(message, self._codec)
        except (DecodeError, UnicodeDecodeError) as error:
            self.unreadable.append(UnreadableSearch(message, str(error)))
            return self.unreadable[-1]
        if isinstance(change, Unsubscription):
            self.subscriptions.pop(change.search_id, None)
            return change
        before = self.subscriptions.get(change.search.search_id)
        if before is not None and before.search == change.search:
            return None
        self.subscriptions[change.search.search_id] = change
        return change

    def since(self, offsets: Offsets) -> list[Subscription]:
        """The subscriptions whose message stands at or after these offsets."""
        return [found for found in self.subscriptions.values() if came_since(found, offsets)]


def came_since(subscription: Subscription, offsets: Offsets) -> bool:
    """Whether the subscription's message stands at or after these offsets."""
    return subscription.offset >= offsets.get(subscription.partition, 0)


def check_search(search: SavedSearch) -> None:
    """Raise DecodeError for values that the schema allows and no search can have, such as a NaN threshold."""
    if not search.search_id:
        raise DecodeError("search_id is empty")
    if not 0 <= search.threshold <= 1:
        raise DecodeError(f"threshold {search.threshold} is not between 0 and 1")
    if search.top_k < 0:
        raise DecodeError(f"top_k {search.top_k} is negative")
    if not 0 <= search.radius_km < inf:
        raise DecodeError(f"radius_km {search.radius_km} is not a distance")
    if search.semantic_threshold is not None and not -1 <= search.semantic_threshold <= 1:
        raise DecodeError(f"semantic_threshold {search.semantic_threshold} is not between -1 and 1")


def _read(message: Message, codec: Codec) -> Subscription | Unsubscription:
    if message.key is None:
        raise DecodeError("a saved search needs its id as the message's key")
    search_id = message.key.decode()
    if message.value is None:
        return Unsubscription(search_id)
    search = codec.decode(SavedSearch, message.value)
    if search.search_id != search_id:
        # A search is unsubscribed by its message's key: under another key the unsubscribe would miss it.
        raise DecodeError(f"the key {search_id!r} is not the search's id {search.search_id!r}")
    check_search(search)
    return Subscription(search, message.partition, message.offset, message.timestamp_ms)
