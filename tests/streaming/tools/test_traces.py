from pipeline.simulation.traces import Request
from schemas.codec import Codec, encode
from schemas.records import Candidate, SavedSearch, ScoreRequest
from schemas.traffic import TrafficClass
from streaming.kafka.messages import REQUEST_ID, Message
from streaming.kafka.topics import SCORE_REQUESTS
from streaming.tools.traces import requests_of

SIZES = Request(0.0, TrafficClass.NEARLINE, "", range(0), 70, 150.0, 60.0)


def message(query: str, at_ms: int, *candidates: str, offset: int = 0, sent: bytes = b"") -> Message:
    search = SavedSearch(search_id="s", query=query, threshold=0.5, top_k=10)
    asked = tuple(Candidate(posting_id=name, version=7, updated_ms=at_ms) for name in candidates)
    value = encode(ScoreRequest(search=search, candidates=asked, created_ms=at_ms))
    headers = {REQUEST_ID: sent} if sent else {}
    return Message(SCORE_REQUESTS.name, 0, offset, at_ms, b"s", value, headers)


def test_score_requests_become_a_trace_in_the_order_of_their_times() -> None:
    batches = [[message("nurse", 5_500, "a", "b")], [message("cook", 5_000, "c", offset=1)]]
    assert requests_of(batches, Codec(), SIZES) == [
        Request(0.0, TrafficClass.NEARLINE, "cook", ("c@7",), 70, 150.0, 60.0),
        Request(0.5, TrafficClass.NEARLINE, "nurse", ("a@7", "b@7"), 70, 150.0, 60.0),
    ]


def test_a_request_that_was_sent_again_counts_once() -> None:
    sent = b"x" * 16
    twice = [message("nurse", 1_000, "a", "b", sent=sent), message("nurse", 9_000, "b", offset=1, sent=sent)]
    assert [one.candidates for one in requests_of([twice], Codec(), SIZES)] == [("a@7", "b@7")]


def test_what_is_no_score_request_is_left_out() -> None:
    broken = message("nurse", 1_000, "a")._replace(value=b"junk")
    assert requests_of([[broken, message("cook", 2_000)]], Codec(), SIZES) == []
