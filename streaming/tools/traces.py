"""A trace for `nearline simulate` from the score requests that a running system has on its topic."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline.simulation.traces import Request
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import ScoreRequest
from schemas.traffic import TrafficClass
from streaming.kafka.messages import Message, request_id
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import SCORE_REQUESTS
from streaming.kafka.whole_topic import scan


def recorded(kafka: KafkaSettings, codec: Codec, sizes: Request) -> list[Request]:
    """Read the topic of score requests; see `requests_of`. ConfigError when the brokers do not have the topic."""
    return requests_of(scan(kafka, SCORE_REQUESTS.name), codec, sizes)


def requests_of(batches: Iterable[Sequence[Message]], codec: Codec, sizes: Request) -> list[Request]:
    """Return what messages asked for in the order of their brokers' times, the first at 0 s.

    A request that was sent again, in parts or after a deferral, counts once; a message that is no score request not at
    all. A candidate is a posting in one version. Lengths and deadline are those of `sizes`.
    """
    found = sorted(
        _first(batches), key=lambda message: (message.timestamp_ms, message.partition, message.offset)
    )
    start = found[0].timestamp_ms if found else 0
    return [one for message in found for one in _request(message, start, codec, sizes)]


def _first(batches: Iterable[Sequence[Message]]) -> Iterator[Message]:
    seen: set[bytes] = set()
    for batch in batches:
        for message in batch:
            sent = request_id(message)
            if not sent or sent not in seen:
                yield message
            seen.add(sent)


def _request(message: Message, start_ms: int, codec: Codec, sizes: Request) -> Iterator[Request]:
    try:
        asked = codec.decode(ScoreRequest, message.value or b"")
    except DecodeError:
        return
    named = tuple(f"{candidate.posting_id}@{candidate.version}" for candidate in asked.candidates)
    if named:
        yield sizes._replace(
            at=(message.timestamp_ms - start_ms) / 1000,
            traffic=TrafficClass.NEARLINE,
            query=asked.search.query,
            candidates=named,
        )
