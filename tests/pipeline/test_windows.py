"""Windows collect candidates of one search into requests of many items."""

from pipeline.windows import Windows, WindowSettings
from schemas.records import Candidate
from tests.pipeline.builders import search

SETTINGS = WindowSettings(window_s=1.0, max_items=3)


def candidate(posting_id: str, version: int = 1) -> Candidate:
    return Candidate(posting_id=posting_id, version=version, updated_ms=version)


def test_a_window_ends_at_its_instant_and_not_before() -> None:
    windows = Windows(SETTINGS, utc_s=lambda: 11.0)
    assert windows.add(search("a"), candidate("p1"), 10.0) is None
    assert windows.add(search("a"), candidate("p2"), 10.9) is None
    assert windows.next_due_s() == 11.0
    assert windows.due(10.99) == []
    (request,) = windows.due(11.0)
    assert [found.posting_id for found in request.candidates] == ["p1", "p2"]
    assert request.created_ms == 11_000
    assert windows.due(99.0) == []
    assert windows.next_due_s() is None


def test_a_full_window_leaves_at_once() -> None:
    windows = Windows(SETTINGS)
    assert [windows.add(search("a"), candidate(f"p{n}"), 0.0) is None for n in range(3)] == [
        True,
        True,
        False,
    ]
    assert windows.flush() == []


def test_a_posting_stands_once_in_a_window_with_its_newest_version() -> None:
    windows = Windows(SETTINGS)
    for version in (2, 3, 1):
        windows.add(search("a"), candidate("p1", version), 0.0)
    (request,) = windows.flush()
    assert [found.version for found in request.candidates] == [3]


def test_searches_have_windows_of_their_own() -> None:
    windows = Windows(SETTINGS)
    windows.add(search("a", search_id="s1"), candidate("p1"), 0.0)
    windows.add(search("b", search_id="s2"), candidate("p1"), 0.5)
    assert [request.search.search_id for request in windows.due(1.2)] == ["s1"]
    assert [request.search.search_id for request in windows.flush()] == ["s2"]


def test_an_unsubscribe_cancels_what_waits() -> None:
    windows = Windows(SETTINGS)
    windows.add(search("a"), candidate("p1"), 0.0)
    assert windows.cancel("s1") == 1
    assert windows.cancel("s1") == 0
    assert windows.flush() == []


def test_a_request_carries_the_newest_wording_of_its_search() -> None:
    windows = Windows(SETTINGS)
    windows.add(search("old"), candidate("p1"), 0.0)
    windows.add(search("new"), candidate("p2"), 0.1)
    assert [request.search.query for request in windows.flush()] == ["new"]
