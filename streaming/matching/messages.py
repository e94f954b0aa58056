"""Requests and alerts as messages that their topics accept: split, or a dead letter, where they would be too large."""

from collections.abc import Iterator
from dataclasses import replace

from schemas.codec import Codec
from schemas.records import ScoreRequest
from streaming.kafka import topics
from streaming.kafka.messages import Message, Outgoing, dead_letter, size_bytes


def request_messages(request: ScoreRequest, codec: Codec) -> Iterator[Outgoing]:
    """The request as messages that fit the topic: halved while too large; one candidate too large is a dead letter."""
    search_id = request.search.search_id.encode()
    message = Outgoing(topics.SCORE_REQUESTS.name, search_id, codec.encode(request))
    half = len(request.candidates) // 2
    if size_bytes(message) <= topics.SCORE_REQUESTS.max_bytes:
        yield message
    elif half:
        yield from request_messages(replace(request, candidates=request.candidates[:half]), codec)
        yield from request_messages(replace(request, candidates=request.candidates[half:]), codec)
    else:
        unsent = Message(message.topic, -1, -1, request.created_ms, search_id, message.value)
        yield dead_letter(unsent, "a score request of one candidate is larger than the topic allows")
