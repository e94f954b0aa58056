"""Feature messages as candidates, and score requests as messages that fit into their topic."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import Candidate, FeatureRecord, Reason, ScoreRequest
from streaming.kafka import topics
from streaming.kafka.messages import REQUEST_ID, Message, Outgoing, alert_reason, dead_letter, size_bytes
from streaming.searches.table import Subscription


def feature_of(message: Message, codec: Codec) -> FeatureRecord:
    """The feature record of a message; raises DecodeError."""
    if message.value is None:
        raise DecodeError("a feature message without a value")
    return codec.decode(FeatureRecord, message.value)


def changed_candidate(message: Message, feature: FeatureRecord) -> Candidate:
    """The candidate that a changed posting is, from the time of its update on (header `source_ts`, else its own)."""
    stamp = message.headers.get("source_ts", b"")
    return Candidate(
        posting_id=feature.posting_id,
        version=feature.version,
        updated_ms=int(stamp) if stamp.isdigit() else message.timestamp_ms,
        reason=alert_reason(message),
    )


def stored_candidate(posting: FeatureRecord, subscription: Subscription) -> Candidate:
    """The candidate that a stored posting is for a new or changed search, from the time of that search on."""
    return Candidate(
        posting_id=posting.posting_id,
        version=posting.version,
        updated_ms=subscription.timestamp_ms,
        reason=Reason.SEARCH,
    )


def request_messages(request: ScoreRequest, codec: Codec) -> Iterator[Outgoing]:
    """The messages of a score request, each with an id of its own: it is halved while it is too large for its topic.

    One candidate that is too large alone becomes a dead letter.
    """
    search_id = request.search.search_id.encode()
    headers = {REQUEST_ID: uuid4().bytes}
    message = Outgoing(topics.SCORE_REQUESTS.name, search_id, codec.encode(request), headers)
    half = len(request.candidates) // 2
    if size_bytes(message) <= topics.SCORE_REQUESTS.max_bytes:
        yield message
    elif half:
        yield from request_messages(replace(request, candidates=request.candidates[:half]), codec)
        yield from request_messages(replace(request, candidates=request.candidates[half:]), codec)
    else:
        unsent = Message(message.topic, -1, -1, request.created_ms, search_id, message.value)
        yield dead_letter(unsent, "a score request of one candidate is larger than the topic allows")
