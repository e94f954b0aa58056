"""A search from words to a page of results, over a store and an index in memory."""

import time
from collections.abc import Sequence

import pytest
from typing_extensions import override

from models.embedder import Embedder, HashingEmbedder
from models.prompts import Item
from models.ranker import LexicalRanker, Ranker
from pipeline.scoring.cached import CachedScorer
from pipeline.search.index import SearchIndex
from pipeline.search.searcher import Searcher, SearchRequest, SearchSettings
from pipeline.search.wanted import Corrections
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable
from schemas.records import FeatureRecord, State
from storage.features import FeatureStore, FeatureWrite
from storage.memory import MemoryStore
from tests.pipeline.builders import TableRanker, feature

EMBEDDER = HashingEmbedder()


def posting(name: str, title: str, version: int = 1, **fields: object) -> FeatureRecord:
    (vector,) = EMBEDDER.embed_postings([title], 1.0)
    made = {
        "posting_id": name,
        "title": title,
        "version": version,
        "vector": vector,
        "vector_model": EMBEDDER.model,
    }
    return feature(**(made | fields))


class System:
    """Store, index and ranker of one test."""

    def __init__(
        self, ranker: Ranker | None = None, embedder: Embedder | None = EMBEDDER, **settings: float
    ) -> None:
        self.kv = MemoryStore(time.time)
        self.features, self.index = FeatureStore(self.kv), SearchIndex()
        self.searcher = Searcher(
            self.index,
            self.features,
            CachedScorer(ranker or LexicalRanker()),
            SearchSettings(**settings),  # type: ignore[arg-type]
            embedder=embedder,
        )

    def write(self, *records: FeatureRecord, indexed: bool = True) -> None:
        writes = [FeatureWrite(posting_id=one.posting_id, seen=None, record=one) for one in records]
        self.features.merge_many(writes)
        for one in records if indexed else ():
            self.index.put(one)

    def ids(self, query: str, **fields: object) -> list[str]:
        found = self.searcher.search(SearchRequest(query=query, **fields))  # type: ignore[arg-type]
        return [one.record.posting_id for one in found.results]


def by_hand(**fields: str) -> Corrections:
    return Corrections(put=tuple(fields.items()))


def test_a_posting_is_found_as_soon_as_its_record_is_put_and_no_more_once_it_closes() -> None:
    system = System()
    system.write(posting("a", "Night nurse"))
    assert system.ids("nurse") == ["a"]
    closed = posting("a", "Night nurse", 2, state=State.CLOSED, lifecycle_version=2, ended_version=2)
    system.write(closed, indexed=False)
    assert system.ids("nurse") == []  # the store knows, although the index has not heard of it yet
    system.index.put(closed)
    assert len(system.index) == 0


def test_results_are_ordered_by_the_ranker_and_say_why_they_are_there() -> None:
    system = System(TableRanker({"Nurse": 0.2, "Head nurse": 0.9, "Clerk": 0.1}))
    system.write(posting("a", "Nurse"), posting("b", "Head nurse"), posting("c", "Clerk"))
    found = system.searcher.search(SearchRequest(query="nurse"))
    assert [one.record.posting_id for one in found.results] == ["b", "a", "c"]
    first = next(one for one in found.results if one.record.posting_id == "b")
    assert first.p_yes == 0.9
    assert any("by words: nurs" in reason for reason in first.reasons)
    assert any("by meaning" in reason for reason in first.reasons)
    assert not found.missing


def test_filters_come_first_so_that_rare_postings_are_found_among_many() -> None:
    system = System(depth=20)
    system.write(*(posting(f"x{n}", "Nurse nurse nurse", location="Leeds, UK") for n in range(300)))
    system.write(posting("rare", "Nurse", location="Berlin, Germany"))
    assert system.ids("nurse", corrections=by_hand(location="Berlin")) == ["rare"]


def test_what_must_not_be_is_kept_out_and_the_next_ones_take_the_place() -> None:
    system = System(depth=20)
    weekends = (posting(f"x{n}", "Nurse nurse nurse", summary="weekends") for n in range(100))
    system.write(*weekends, *(posting(f"p{n}", "Nurse", summary="no weekends") for n in range(3)))
    assert sorted(system.ids("nurse", corrections=by_hand(must_not="weekends"))) == ["p0", "p1", "p2"]


def test_meaning_finds_what_no_word_finds() -> None:
    system = System()
    system.write(posting("a", "Nursing home"), posting("b", "Welder"))
    found = system.searcher.search(SearchRequest(query="nurses"))
    assert found.results[0].record.posting_id == "a"
    assert found.results[0].found.meaning_place == 1


class DownEmbedder(HashingEmbedder):
    @override
    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        raise ModelUnavailable("it is down")


def test_without_its_embedder_a_search_goes_on_by_words_and_says_so() -> None:
    system = System(embedder=DownEmbedder())
    system.write(posting("a", "Nurse"), posting("b", "Welder"))
    found = system.searcher.search(SearchRequest(query="nurse"))
    assert [one.record.posting_id for one in found.results] == ["a"]
    assert found.missing == ("embedder: found by words alone (it is down)",)


def test_vectors_of_another_model_are_never_compared() -> None:
    system = System(embedder=HashingEmbedder(model="other@2"))
    system.write(posting("a", "Welder"))
    assert system.ids("nurse") == []
    assert system.ids("welder") == ["a"]
    narrow = HashingEmbedder(width=64)
    system = System(embedder=narrow)
    system.write(posting("a", "Welder"))
    assert system.ids("nurse") == []


class DownRanker(Ranker):
    model = "down@1"

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        raise ModelUnavailable("it is down")


def test_without_its_ranker_a_search_is_answered_in_the_order_of_retrieval() -> None:
    system = System(DownRanker())
    system.write(posting("a", "Nurse"), posting("b", "Night nurse"))
    found = system.searcher.search(SearchRequest(query="night nurse"))
    assert [one.record.posting_id for one in found.results] == ["b", "a"]
    assert [one.p_yes for one in found.results] == [None, None]
    assert found.missing == ("ranker: in the order of retrieval (it is down)",)


def test_a_posting_that_the_ranker_refuses_is_left_out_and_counted() -> None:
    ranker = TableRanker()
    ranker.poison = {"Bad nurse"}
    system = System(ranker)
    system.write(posting("a", "Nurse"), posting("b", "Bad nurse"))
    found = system.searcher.search(SearchRequest(query="nurse"))
    assert [one.record.posting_id for one in found.results] == ["a"]
    assert found.missing == ("ranker: refuses 1 of 2 postings, which are left out",)


def test_pages_hold_every_ranked_posting_once_while_others_arrive_and_ask_the_ranker_once() -> None:
    ranker = TableRanker({f"Nurse {n}": n / 100 for n in range(25)})
    system = System(ranker)
    system.write(*(posting(f"p{n}", f"Nurse {n}") for n in range(25)))
    seen, cursor = list[str](), ""
    for number in range(3):
        page = system.searcher.search(SearchRequest(query="nurse", cursor=cursor))
        seen += [one.record.posting_id for one in page.results]
        assert [one.place for one in page.results] == list(
            range(10 * number + 1, 10 * number + 1 + len(page.results))
        )
        cursor = page.cursor
        system.write(posting(f"new{number}", "Nurse 24"))
    assert not cursor
    assert len(seen) == 25
    assert set(seen) == {f"p{n}" for n in range(25)}
    assert len(ranker.calls) == 1


def test_the_page_of_an_answer_that_is_gone_is_made_anew_from_kept_scores() -> None:
    ranker = TableRanker()
    system = System(ranker)
    system.write(*(posting(f"p{n}", f"Nurse {n}") for n in range(15)))
    first = system.ids("nurse")
    rest = system.ids("nurse", cursor="gone.10")
    assert set(first) | set(rest) == {f"p{n}" for n in range(15)}
    assert len(ranker.calls) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"query": "x" * 10_000}, "the text has 10,000 characters"),
        ({"query": "nurse", "cursor": "no"}, "is none that an answer gave"),
        ({"query": "nurse", "limit": 0}, "limit must be 1 to 100"),
        ({"query": "nurse", "corrections": Corrections(dropped=("place",))}, "'place' names no part"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(asked: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        System().searcher.search(SearchRequest(**asked))  # type: ignore[arg-type]


def test_a_query_of_stop_words_shows_the_newest_postings_and_says_so() -> None:
    ranker = TableRanker()
    system = System(ranker)
    system.write(posting("old", "Nurse", 1), posting("new", "Welder", 5))
    found = system.searcher.search(SearchRequest(query="jobs for me"))
    assert [one.record.posting_id for one in found.results] == ["new", "old"]
    assert found.wanted.notes == ("nothing is asked for: name a kind of work, a place or a condition",)
    assert not ranker.calls


def test_words_become_filters_that_are_shown_and_can_be_taken_out() -> None:
    system = System()
    system.write(posting("a", "Barista", location="Leeds, UK"), posting("b", "Barista", location="York, UK"))
    found = system.searcher.search(SearchRequest(query="barista in Leeds"))
    assert [(part.name, part.value, part.words) for part in found.wanted.parts] == [
        ("location", "Leeds", "in Leeds")
    ]
    assert [one.record.posting_id for one in found.results] == ["a"]
    assert found.passing == 1
    anywhere = Corrections(dropped=("location",))
    assert len(system.ids("barista in Leeds", corrections=anywhere)) == 2


def test_slow_searches_lower_the_depth() -> None:
    now = 0.0

    class Slow(TableRanker):
        @override
        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            nonlocal now
            now += 0.02 * len(items)
            return super().score_many(query, items, deadline_s)

    system = System()
    searcher = Searcher(system.index, system.features, Slow(), clock=lambda: now)
    system.write(*(posting(f"p{n}", f"Nurse {n}") for n in range(150)))
    assert searcher.search(SearchRequest(query="nurse")).depth == 100
    for number in range(20):
        searcher.search(SearchRequest(query=f"nurse {number}"))
    assert searcher.depth == 20


def test_an_older_record_does_not_replace_a_newer_one() -> None:
    index = SearchIndex()
    assert index.put(posting("a", "Nurse", 2))
    assert index.put(posting("a", "Welder", 1))
    system = System()
    system.index.put(posting("a", "Nurse", 2))
    system.index.put(posting("a", "Welder", 1))
    system.write(posting("a", "Nurse", 2), indexed=False)
    assert system.ids("nurse") == ["a"]


def test_a_posting_without_its_summary_or_content_is_not_found() -> None:
    index = SearchIndex()
    assert not index.put(posting("a", "Nurse", summary_hash=b"x" * 16))
    assert not index.put(posting("b", "Nurse", content_version=-1))
    assert len(index) == 0


def test_a_refusal_of_the_embedder_costs_the_meaning_alone() -> None:
    class Refusing(HashingEmbedder):
        @override
        def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
            raise ModelRejected("too odd")

    system = System(embedder=Refusing())
    system.write(posting("a", "Nurse"))
    assert system.ids("nurse") == ["a"]
