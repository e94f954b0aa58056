"""Read the saved searches that are subscribed now, once, from the topic."""

from schemas.codec import Codec
from schemas.errors import ConfigError
from schemas.records import SavedSearch
from streaming.kafka import clients
from streaming.kafka.admin import require_topics
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import SEARCHES
from streaming.searches.feed import KafkaSearchFeed
from streaming.searches.table import SearchTable


def current_searches(kafka: KafkaSettings, codec: Codec) -> dict[str, SavedSearch]:
    """All subscribed searches by id. Raises ConfigError when the brokers do not have the topic."""
    require_topics(kafka, (SEARCHES.name,))
    table = SearchTable(codec)
    with clients.reader(kafka) as consumer:
        for message in KafkaSearchFeed(consumer).read_to_end(lambda: False):
            table.apply(message)
    return {search_id: found.search for search_id, found in table.subscriptions.items()}


def current_search(kafka: KafkaSettings, codec: Codec, search_id: str) -> SavedSearch:
    """The search with this id. ConfigError when none is subscribed under it."""
    searches = current_searches(kafka, codec)
    if search_id not in searches:
        raise ConfigError(
            f"no saved search {search_id!r} among the {len(searches)} on topic {SEARCHES.name} of {kafka.bootstrap}: "
            "the id is wrong, or the search was unsubscribed"
        )
    return searches[search_id]
