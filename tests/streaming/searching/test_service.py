"""The search service in one process: feature messages in, HTTP answers out."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from models.embedder import HashingEmbedder
from models.ranker import LexicalRanker
from pipeline.scoring.cached import CachedScorer
from pipeline.search.index import SearchIndex
from pipeline.search.searcher import Searcher
from schemas.codec import Codec
from schemas.records import FeatureRecord, State
from storage.features import FeatureStore, FeatureWrite
from storage.memory import MemoryStore
from streaming.kafka import topics
from streaming.kafka.memory_topic import MemoryTopic
from streaming.searching.app import SearchRoute, create_app
from streaming.searching.loop import IndexLoop
from streaming.searching.memory_feed import MemoryFeatureFeed
from streaming.searching.metrics import SearchMetrics
from tests.pipeline.builders import feature


class Service:
    """A store, its topic of features, and a service over both whose loop is turned by hand."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.features = FeatureStore(MemoryStore(time.time))
        self.topic = MemoryTopic(topics.FEATURES.name, partitions=2)
        metrics, index = SearchMetrics(self.registry), SearchIndex()
        self.loop = IndexLoop(
            index=index,
            feed=MemoryFeatureFeed(self.topic),
            scan=self.features.scan,
            codec=Codec(),
            metrics=metrics,
            clock=lambda: 2.0,
        )
        searcher = Searcher(index, self.features, CachedScorer(LexicalRanker()), embedder=HashingEmbedder())
        trouble = lambda: "" if self.loop.loaded else "reading the store"  # noqa: E731
        self.client = TestClient(create_app(SearchRoute(searcher, metrics, trouble, 4), metrics, trouble))

    def write(self, record: FeatureRecord, *, sent: bool = True) -> None:
        (stored,) = self.features.merge_many(
            [FeatureWrite(posting_id=record.posting_id, seen=None, record=record)]
        )
        assert isinstance(stored, bytes)
        if sent:
            self.topic.append(stored, key=record.posting_id.encode(), timestamp_ms=1_000)

    def ids(self, query: str, **asked: Any) -> list[str]:
        answer = self.client.post("/v1/search", json={"query": query, **asked})
        assert answer.status_code == 200, answer.text
        return [one["posting_id"] for one in answer.json()["results"]]

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    made.loop.load()
    yield made
    made.client.close()


def nurse(name: str, version: int = 1, **fields: Any) -> FeatureRecord:
    return feature(posting_id=name, title="Night nurse", version=version, **fields)


def test_a_posting_is_found_one_turn_after_its_feature_message_and_not_after_its_close(
    service: Service,
) -> None:
    service.write(nurse("a"))
    assert service.ids("nurse") == []
    service.loop.turn()
    assert service.ids("nurse") == ["a"]
    assert service.count("nearline_search_freshness_seconds_sum") == 1.0
    service.write(nurse("a", 2, state=State.CLOSED, lifecycle_version=2, ended_version=2))
    service.loop.turn()
    assert service.ids("nurse") == []
    assert service.count("nearline_search_features_total", outcome="dropped") == 1


def test_what_the_store_held_before_is_found_and_nothing_falls_between() -> None:
    service = Service()
    service.write(nurse("before"))
    scan = service.loop.scan

    def scanned() -> Iterator[FeatureRecord]:
        held = list(scan())
        service.write(nurse("meanwhile"))  # after the scan has passed its place
        yield from held

    service.loop.scan = scanned
    service.loop.load()
    service.loop.turn()
    assert sorted(service.ids("nurse")) == ["before", "meanwhile"]


def test_a_topic_that_is_created_anew_makes_the_service_read_the_store_again(service: Service) -> None:
    service.write(nurse("lost"))
    service.topic.create_anew()
    service.loop.turn()
    assert service.ids("nurse") == ["lost"]


def test_a_damaged_message_is_counted_and_the_next_one_is_taken(service: Service) -> None:
    service.topic.append(b"damaged", key=b"x")
    service.write(nurse("a"))
    service.topic.append(None, key=b"gone")
    service.loop.turn()
    assert service.ids("nurse") == ["a"]
    assert service.count("nearline_search_features_total", outcome="unreadable") == 1


def test_before_the_store_is_read_the_service_says_so() -> None:
    service = Service()
    answer = service.client.post("/v1/search", json={"query": "nurse"})
    assert (answer.status_code, answer.json()) == (503, {"error": "reading the store"})
    assert answer.headers["Retry-After"] == "1"
    assert service.client.get("/health").status_code == 503
    service.loop.load()
    assert service.client.get("/health").json() == {"serving": True, "trouble": ""}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({}, "query: Field required"),
        ({"query": "x" * 10_000}, "the text has 10,000 characters"),
        ({"query": "nurse", "limit": 0}, "limit: Input should be greater than or equal to 1"),
        ({"query": "nurse", "cursor": "?"}, "the cursor '?' is none that an answer gave"),
        ({"query": "nurse", "locations": "x"}, "locations: Extra inputs are not permitted"),
        ({"query": "nurse", "set": {"radius_km": "near"}}, "radius_km"),
        ({"query": "nurse", "set": {"remote": 3}}, "set.remote.str: Input should be a valid string"),
    ],
)
def test_a_bad_request_is_one_line_that_names_what_is_wrong(service: Service, body: Any, line: str) -> None:
    answer = service.client.post("/v1/search", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(line)
    assert service.count("nearline_search_requests_total", outcome="refused") == 1


def test_an_answer_says_what_was_found_by_what_and_pages_by_its_cursor(service: Service) -> None:
    for number in range(3):
        service.write(nurse(f"p{number}", location="Leeds, UK"))
    service.loop.turn()
    first = service.client.post(
        "/v1/search", json={"query": "night nurse", "limit": 2, "set": {"location": "Leeds"}}
    )
    page = first.json()
    assert (page["object"], page["total"], page["postings"], page["passing"]) == ("search", 3, 3, 3)
    assert page["results"][0]["found"]["word_place"] == 1
    assert "location: wanted Leeds, has Leeds, UK" in page["results"][0]["reasons"]
    assert page["took_ms"].keys() == {"understand", "embed", "retrieve", "score", "place", "show"}
    rest = service.ids("night nurse", cursor=page["cursor"], limit=2)
    assert len(rest) == 1
    assert {one["posting_id"] for one in page["results"]} | set(rest) == {"p0", "p1", "p2"}


def test_more_searches_than_fit_are_told_to_come_again() -> None:
    route = SearchRoute(
        Searcher(SearchIndex(), FeatureStore(MemoryStore(time.time)), LexicalRanker()),
        SearchMetrics(CollectorRegistry()),
        lambda: "",
        1,
    )
    assert route._room.acquire(blocking=False)
    client = TestClient(create_app(route, SearchMetrics(CollectorRegistry()), lambda: ""))
    assert client.post("/v1/search", json={"query": "nurse"}).status_code == 503
    route._room.release()
    assert client.post("/v1/search", json={"query": "nurse"}).status_code == 200
