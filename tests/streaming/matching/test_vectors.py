"""The matcher's loop with vectors of searches: from an embedder that answers, fails or is exchanged; and with parts."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from models.embedder import HashingEmbedder
from pipeline.percolation.meaning import query_of, similarity
from pipeline.percolation.query_vectors import QueryVectors, QueryVectorSettings
from schemas.codec import encode
from schemas.errors import ConfigError, ModelUnavailable
from schemas.records import FeatureRecord, SavedSearch
from streaming.matching.loop import MatchLoop
from streaming.searches.share import SearchShare, read_share
from tests.streaming.matching.test_loop import World

T = TypeVar("T")


class AtOnce(Executor):
    """Runs each call before `submit` returns."""

    @override
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future = Future[T]()
        try:
            future.set_result(fn(*args, **kwargs))
        except ModelUnavailable as error:
            future.set_exception(error)
        return future


class Words(HashingEmbedder):
    """The stand-in, which is away while `away`; counts the texts that it was asked for."""

    away = False
    asked = 0

    def exchanged_for(self, model: str) -> None:
        self._model = model

    @override
    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        if self.away:
            raise ModelUnavailable("the embedder is away")
        self.asked += len(texts)
        return super().embed_queries(texts, deadline_s)


def started(world: World, embedder: HashingEmbedder, **settings: Any) -> MatchLoop:
    vectors = QueryVectors(embedder, AtOnce(), QueryVectorSettings(similarity=0.6, **settings))
    loop, _ = world.start(query_vectors=vectors)
    return loop


def publish(world: World, embedder: HashingEmbedder, posting_id: str, text: str) -> FeatureRecord:
    (vector,) = embedder.embed_postings([text], 1.0)
    world.publish(posting_id, summary=text, vector=vector, vector_model=embedder.model)
    return world.stored[posting_id]


def test_a_search_is_matched_by_its_vector_and_its_requests_carry_it() -> None:
    world, embedder = World(), Words()
    loop = started(world, embedder)
    world.subscribe("s", "nurse driver welder")
    world.turns(loop, 2)
    publish(world, embedder, "near", "welder nurse driver")
    publish(world, embedder, "far", "nurse")
    world.turns(loop)
    assert world.pairs() == {("s", "near")}
    (request,) = world.requests()
    query = query_of(request)
    assert query is not None
    assert (query.model, query.threshold) == ("hashing@1", 0.6)
    assert similarity(query, world.stored["near"]) >= 0.6
    assert loop.metrics.pairs.labels("vectors")._value.get() == 1


def test_a_search_may_name_a_similarity_of_its_own() -> None:
    world, embedder = World(), Words()
    loop = started(world, embedder)
    search = SavedSearch(search_id="s", query="nurse driver welder", semantic_threshold=0.1)
    world.searches.append(encode(search), key=b"s", timestamp_ms=5)
    publish(world, embedder, "far", "nurse")
    world.turns(loop)
    assert world.pairs() == {("s", "far")}


def test_while_the_embedder_is_away_words_decide_and_later_vectors_do() -> None:
    world, embedder = World(), Words()
    loop = started(world, embedder)
    embedder.away = True
    world.subscribe("s", "nurse driver welder")
    publish(world, embedder, "words", "nurse driver and a sentence about something else entirely")
    world.turns(loop)
    assert world.pairs() == {("s", "words")}
    assert loop.metrics.embedder_failures._value.get() >= 1
    assert loop.metrics.without_vector._value.get() == 1
    embedder.away = False
    world.turns(loop, 30)
    assert loop.metrics.without_vector._value.get() == 0
    publish(world, embedder, "later", "nurse driver and a sentence about something else entirely")
    world.turns(loop)
    assert world.pairs() == {("s", "words")}


def test_a_new_search_meets_stored_postings_by_its_vector() -> None:
    world, embedder = World(), Words()
    loop = started(world, embedder)
    for name, text in (("near", "welder driver"), ("far", "nurse")):
        (vector,) = embedder.embed_postings([text], 1.0)
        world.store(name, summary=text, vector=vector, vector_model=embedder.model)
    world.subscribe("s", "driver and welder")
    world.turns(loop)
    assert world.pairs() == {("s", "near")}


def test_an_exchanged_embedder_makes_the_vectors_of_all_searches_anew_once_for_each_name() -> None:
    world, embedder = World(), Words()
    loop = started(world, embedder)
    world.subscribe("s", "nurse driver welder")
    world.turns(loop)
    assert embedder.asked == 1
    embedder.exchanged_for("hashing@2")
    publish(world, embedder, "near", "welder nurse driver")
    world.turns(loop)
    assert embedder.asked == 2
    other = Words(model="hashing@3")
    publish(world, other, "foreign", "welder nurse driver")
    publish(world, other, "foreign too", "welder nurse driver")
    world.turns(loop)
    assert embedder.asked == 3
    publish(world, embedder, "near again", "welder nurse driver")
    world.turns(loop)
    (query,) = map(query_of, world.requests()[-1:])
    assert query is not None
    assert query.model == "hashing@2"


def test_unsubscribed_searches_need_no_vector() -> None:
    embedder = Words()
    vectors = QueryVectors(embedder, AtOnce())
    search = SavedSearch(search_id="s", query="nurse")
    vectors.put(search, 0.0)
    vectors.drop("s")
    assert list(vectors.advance(1.0)) == []
    assert embedder.asked == 0


def test_of_a_search_that_changed_under_way_only_the_newest_wording_gets_a_vector() -> None:
    embedder = Words()
    vectors = QueryVectors(embedder, AtOnce())
    search = SavedSearch(search_id="s", query="nurse")
    vectors.put(search, 0.0)
    assert list(vectors.advance(1.0)) == []
    changed = replace(search, query="welder")
    vectors.put(changed, 1.0)
    assert list(vectors.advance(2.0)) == []
    assert [made.search for made in vectors.advance(3.0)] == [changed]


def test_equal_queries_are_embedded_once_and_a_text_without_a_vector_waits_no_longer() -> None:
    embedder = Words()
    vectors = QueryVectors(embedder, AtOnce())
    for number, query in enumerate(("nurse", "nurse", "")):
        vectors.put(SavedSearch(search_id=f"s{number}", query=query), 0.0)
    list(vectors.advance(1.0))
    assert [made.search.search_id for made in vectors.advance(2.0)] == ["s0", "s1"]
    assert (embedder.asked, vectors.waiting) == (2, {})


def test_parts_hold_every_search_once_between_them() -> None:
    world = World()
    ids = [f"search {number}" for number in range(50)]
    for name in ids:
        world.subscribe(name)
    world.publish("p")
    held = []
    for number in range(3):
        world.committed.clear()
        loop, _ = world.start(share=SearchShare(number, 3))
        world.turns(loop)
        held.append(set(loop.table.subscriptions))
    assert set.union(*held) == set(ids)
    assert sum(map(len, held)) == len(ids)
    assert all(held)
    assert world.pairs() == {(name, "p") for name in ids}


@pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--share"):
        read_share(text)


def test_a_share_names_its_group() -> None:
    assert (read_share("1/1").group("g"), read_share("2/4").group("g")) == ("g", "g-2-of-4")
