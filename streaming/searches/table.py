"""The saved searches of the compacted topic `searches`: what is held, since which offset, what was unreadable."""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import SavedSearch
from streaming.kafka.messages import Message

#: Next offset by partition of the topic `searches`.
Offsets = Mapping[int, int]


class Held(NamedTuple):
    """One saved search and the message that brought it."""

    search: SavedSearch
    partition: int
    offset: int
    timestamp_ms: int


class Bad(NamedTuple):
    """A message that is no saved search."""

    message: Message
    reason: str


class Dropped(NamedTuple):
    """An unsubscribe."""

    search_id: str


class SearchTable:
    """All saved searches, by id."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.held: dict[str, Held] = {}
        self.positions: dict[int, int] = {}
        self.bad: list[Bad] = []

    def apply(self, message: Message) -> Held | Dropped | Bad | None:
        """Take in one message; None when it repeats what is held. Raises RegistryUnavailable."""
        self.positions[message.partition] = message.offset + 1
        try:
            change = _read(message, self._codec)
        except (DecodeError, UnicodeDecodeError) as error:
            self.bad.append(Bad(message, str(error)))
            return self.bad[-1]
        if isinstance(change, Dropped):
            self.held.pop(change.search_id, None)
            return change
        before = self.held.get(change.search.search_id)
        if before is not None and before.search == change.search:
            return None
        self.held[change.search.search_id] = change
        return change

    def since(self, met: Offsets) -> list[Held]:
        """The searches that came at or after these offsets."""
        return [held for held in self.held.values() if is_since(held, met)]


def is_since(held: Held, met: Offsets) -> bool:
    """Whether this search came at or after these offsets."""
    return held.offset >= met.get(held.partition, 0)


def check_search(search: SavedSearch) -> None:
    """Raise DecodeError for values that decode but make no search; a threshold of NaN would pass everything."""
    if not search.search_id:
        raise DecodeError("search_id is empty")
    if not 0 <= search.threshold <= 1:
        raise DecodeError(f"threshold {search.threshold} is not between 0 and 1")
    if search.top_k < 0:
        raise DecodeError(f"top_k {search.top_k} is negative")


def _read(message: Message, codec: Codec) -> Held | Dropped:
    if message.key is None:
        raise DecodeError("a saved search needs its id as the message's key")
    search_id = message.key.decode()
    if message.value is None:
        return Dropped(search_id)
    search = codec.decode(SavedSearch, message.value)
    if search.search_id != search_id:
        # an unsubscribe goes by key: under another key it would never reach this search
        raise DecodeError(f"the key {search_id!r} is not the search's id {search.search_id!r}")
    check_search(search)
    return Held(search, message.partition, message.offset, message.timestamp_ms)
