"""Know which searches were unsubscribed, so that score requests for them can be dropped."""

from collections.abc import Callable, Collection

from streaming.kafka.messages import Message
from streaming.searches.feed import SearchFeed


class Unsubscribed:
    """The ids of the searches whose newest message on the topic is a tombstone (has no value)."""

    def __init__(self, feed: SearchFeed, stopped: Callable[[], bool]) -> None:
        self._feed = feed
        self._ids: set[str] = set()
        for message in feed.read_to_end(stopped):
            self._apply(message)

    def __call__(self) -> Collection[str]:
        """The ids up to the messages that have arrived by now."""
        for message in self._feed.poll():
            self._apply(message)
        return self._ids

    def _apply(self, message: Message) -> None:
        search_id = (message.key or b"").decode(errors="replace")
        if message.value is None:
            self._ids.add(search_id)
        else:
            self._ids.discard(search_id)
