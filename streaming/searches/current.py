"""The saved searches as they stand now, read once from the topic."""

from schemas.codec import Codec
from schemas.errors import ConfigError
from schemas.records import SavedSearch
from streaming.kafka import clients
from streaming.kafka.settings import KafkaSettings
from streaming.searches.feed import KafkaSearchFeed
from streaming.searches.table import SearchTable


def current_searches(kafka: KafkaSettings, codec: Codec) -> dict[str, SavedSearch]:
    """Every search that is subscribed, by id."""
    table = SearchTable(codec)
    with clients.reader(kafka) as consumer:
        for message in KafkaSearchFeed(consumer).read_to_end(lambda: False):
            table.apply(message)
    return {search_id: held.search for search_id, held in table.held.items()}


def current_search(kafka: KafkaSettings, codec: Codec, search_id: str) -> SavedSearch:
    """One search. ConfigError when nobody is subscribed under this id."""
    held = current_searches(kafka, codec)
    if search_id not in held:
        raise ConfigError(f"no saved search {search_id!r} among the {len(held)} on topic searches")
    return held[search_id]
