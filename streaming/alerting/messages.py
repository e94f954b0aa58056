"""The Kafka messages that the alert consumer reads and sends; an alert that is too large becomes a dead letter."""

from dataclasses import replace

from pipeline.alert import Located
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import Alert, ScoreRequest
from streaming.kafka import topics
from streaming.kafka.messages import (
    REQUEST_CANDIDATES,
    REQUEST_ID,
    REQUEST_WAITED_MS,
    Message,
    Outgoing,
    dead_letter,
    size_bytes,
)
from streaming.searches.table import check_search


def request_of(message: Message, codec: Codec) -> ScoreRequest:
    """The score request of a message; raises DecodeError, also for a search that cannot be."""
    if message.value is None:
        raise DecodeError("a score request without a value")
    request = codec.decode(ScoreRequest, message.value)
    check_search(request.search)
    return request


def request_parts(located: Located, size: int, waited_s: float, codec: Codec) -> list[Outgoing]:
    """Split a score request into requests of at most `size` candidates each, which keep its id and tell its size.

    They come into the topic anew, so that they tell how long the request has waited, too.
    """
    request, candidates = located.request, located.request.candidates
    parts = [replace(request, candidates=candidates[i : i + size]) for i in range(0, len(candidates), size)]
    key = request.search.search_id.encode()
    headers = {
        REQUEST_CANDIDATES: b"%d" % max(located.whole, len(candidates)),
        REQUEST_WAITED_MS: b"%d" % round(1000 * waited_s),
    }
    if located.request_id:
        headers[REQUEST_ID] = located.request_id
    return [Outgoing(topics.SCORE_REQUESTS.name, key, codec.encode(part), headers) for part in parts]


def rejection(located: Located, reason: str, codec: Codec) -> Outgoing:
    """The dead letter of a request that was narrowed to the one item that the model refuses."""
    request = located.request
    key = request.search.search_id.encode()
    place = (topics.SCORE_REQUESTS.name, located.partition, located.offset, request.created_ms)
    return dead_letter(Message(*place, key, codec.encode(request)), reason)


def alert_message(alert: Alert, codec: Codec) -> Outgoing:
    """The alert's message, or a dead letter when the topic would refuse the alert for its size."""
    message = Outgoing(topics.ALERTS.name, alert.alert_id.encode(), codec.encode(alert))
    if size_bytes(message) <= topics.ALERTS.max_bytes:
        return message
    unsent = Message(message.topic, -1, -1, alert.updated_ms, message.key, message.value)
    return dead_letter(unsent, "the alert is larger than its topic allows")
