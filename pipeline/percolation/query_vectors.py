"""Make the vectors of saved searches beside the matching, which goes on by words until they are there."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, NamedTuple

from models.embedder import Embedder
from pipeline.percolation.meaning import QueryVector, query_vector
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.records import SavedSearch
from schemas.settings import Option

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVectorSettings:
    """How searches are compared with postings by their vectors.

    `at_once`: queries of one call. `deadline_s`: of one call, in seconds. `retry_s`: pause after a call that failed.
    `patience_s`: how long new searches wait for their vectors before they meet the stored postings by their words.
    """

    similarity: Annotated[
        float,
        Option("Least similarity of vectors, from -1 to 1, for a search that names none of its own."),
    ] = 0.5
    at_once: int = 256
    deadline_s: float = 10.0
    retry_s: float = 10.0
    patience_s: float = 5.0


class Made(NamedTuple):
    """A search with its vector."""

    search: SavedSearch
    query: QueryVector


class QueryVectors:
    """Asks the embedder for the vectors of searches, one call at a time on `executor`.

    `waiting`: searches without a vector yet, by id. `failures`: calls that failed so far; the searches of such a call
    wait for the next. A query that the embedder refuses, or has no vector for, is matched by its words.
    """

    def __init__(
        self, embedder: Embedder, executor: Executor, settings: QueryVectorSettings | None = None
    ) -> None:
        self._embedder, self._executor = embedder, executor
        self._settings = settings or QueryVectorSettings()
        self.waiting: dict[str, SavedSearch] = {}
        self.failures = 0
        self._asked: list[SavedSearch] = []
        self._call: Future[tuple[str, list[bytes]]] | None = None
        self._retry_at_s = self._waiting_since_s = 0.0
        self._failing = self._made = False
        self._models: set[str] = set()

    def put(self, search: SavedSearch, now_s: float) -> None:
        """Make the vector of a search that is new or has changed."""
        if not self.waiting:
            self._waiting_since_s = now_s
        self.waiting[search.search_id] = search

    def drop(self, search_id: str) -> None:
        """Make no vector of a search that was unsubscribed; an unknown id is no error."""
        self.waiting.pop(search_id, None)

    def holds_up(self, now_s: float) -> bool:
        """Whether new searches had better wait a moment for their vectors before they meet the stored postings."""
        patient = now_s < self._waiting_since_s + self._settings.patience_s
        return bool(self.waiting) and patient and not self._failing

    def other_model(self, models: Iterable[str]) -> bool:
        """Whether postings have vectors of an embedder that is not known yet: then searches may need new ones.

        True once for each embedder: the one behind the URL was exchanged, or the postings' vectors are of another.
        """
        new = {model for model in models if model} - self._models
        self._models |= new
        return bool(new) and self._made

    def advance(self, now_s: float) -> Iterator[Made]:
        """The vectors that have arrived since the last call; asks for the next ones."""
        if self._call is not None and self._call.done():
            call, self._call = self._call, None
            yield from self._received(call, now_s)
        if self._call is None and self.waiting and now_s >= self._retry_at_s:
            self._asked = list(islice(self.waiting.values(), self._settings.at_once))
            self._call = self._executor.submit(self._ask, [search.query for search in self._asked])

    def _ask(self, queries: list[str]) -> tuple[str, list[bytes]]:
        distinct = list(dict.fromkeys(queries))
        vectors = self._embedder.embed_queries(distinct, self._settings.deadline_s)
        found = dict(zip(distinct, vectors, strict=True))
        return self._embedder.model, [found[query] for query in queries]

    def _received(self, call: Future[tuple[str, list[bytes]]], now_s: float) -> Iterator[Made]:
        try:
            model, vectors = call.result()
        except (ModelUnavailable, ModelRejected) as error:
            self.failures += 1
            self._failing, self._retry_at_s = True, now_s + self._settings.retry_s
            log.warning(
                "%d searches are matched by their words, trying again in %.0f s: %s",
                len(self.waiting),
                self._settings.retry_s,
                error,
            )
            return
        self._failing = False
        self._models.add(model)
        self._made = True
        for search, vector in zip(self._asked, vectors, strict=True):
            if self.waiting.get(search.search_id) is search:
                del self.waiting[search.search_id]
                query = query_vector(search, model, vector, self._settings.similarity)
                if query is not None:
                    yield Made(search, query)
