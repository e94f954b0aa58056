"""Score requests as Kafka messages: split when the topic would refuse them, dead letters when that does not help."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

from schemas.codec import Codec
from schemas.records import ScoreRequest
from streaming.kafka import topics
from streaming.kafka.messages import REQUEST_ID, Message, Outgoing, dead_letter, size_bytes


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
