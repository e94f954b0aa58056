"""`SearchIndex`: the open postings in memory, found by their words and their vectors, filters first."""

import heapq
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.vectors import unpack, width_of
from pipeline.filters import FILTERS
from pipeline.match import feature_terms, ready
from pipeline.search.columns import FilterColumn
from pipeline.search.fusion import fused
from pipeline.search.growing import grown
from pipeline.search.lexical import TermIndex
from pipeline.search.vectors import VectorTable
from pipeline.terms import terms
from schemas.records import FeatureRecord, SavedSearch

#: Filters that read a posting's whole text, which the index does not keep: its user applies them.
BY_TEXT = frozenset({"must_not"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for: filters, content terms, and the query's vector with the name of the model that made it."""

    filters: SavedSearch
    terms: frozenset[str]
    vector: bytes = b""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One posting that was found, with what found it; places count from 1, None: not by this.

    `bm25`: by words. `similarity`: by meaning.
    """

    posting_id: str
    version: int
    bm25: float = 0.0
    word_place: int | None = None
    similarity: float = 0.0
    meaning_place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found, best first, and out of how many: postings in the index, and those that pass the filters.

    `other_vectors`: postings that pass and whose vector is of another model than the query's, or missing; such
    postings are found by words alone. `exhausted`: a higher `most` would find nothing more.
    """

    found: Sequence[Found]
    postings: int
    passing: int
    other_vectors: int = 0
    exhausted: bool = True


class SearchIndex:
    """Every open posting in one row of each table; a posting is found from the `put` of its record on.

    For several threads: a lock is held while a record is put or a query is read, a few milliseconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._free: list[int] = []
        self._versions = np.zeros(0, np.int64)
        self._live = np.zeros(0, np.bool_)
        self._terms = TermIndex()
        self._vectors: dict[str, VectorTable] = {}
        self._columns = [FilterColumn(one) for one in FILTERS if one.name not in BY_TEXT]

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, posting_id: str) -> bool:
        return posting_id in self._rows

    def put(self, record: FeatureRecord) -> bool:
        """Take a posting's newest record: one that is not open, or lacks its content or summary, is no longer found.

        Returns whether the posting can be found now. An older record than the one that is held changes nothing.
        """
        counts = _counts(record) if ready(record) else None
        with self._lock:
            row = self._rows.get(record.posting_id)
            if row is not None and self._versions[row] > record.version:
                return True
            if row is not None:
                self._drop(record.posting_id, row)
            if counts is not None:
                self._add(record, counts)
            return counts is not None

    def drop(self, posting_id: str) -> None:
        """Forget a posting; an unknown id is no error."""
        with self._lock:
            row = self._rows.get(posting_id)
            if row is not None:
                self._drop(posting_id, row)

    def clear(self) -> None:
        """Forget every posting."""
        for posting_id in list(self._rows):
            self.drop(posting_id)

    def vectors(self) -> dict[str, int]:
        """How many postings have a vector, by its model."""
        with self._lock:
            return {model: table.held for model, table in self._vectors.items()}

    def find(self, asked: Asked, most: int) -> Retrieved:
        """The best postings that pass the filters (but those `BY_TEXT`): at most `most` by words, as many by meaning.

        Without words that occur and without a vector: the newest ones.
        """
        with self._lock:
            allowed = self._allowed(asked.filters)
            scores = self._terms.scores(asked.terms, len(allowed))
            worded = _best(np.where(allowed, scores, 0), most)
            meant, similar = self._by_meaning(asked, allowed, most)
            passing = int(np.count_nonzero(allowed))
            orders = [worded.tolist(), meant.tolist()]
            if not asked.terms and not asked.vector:
                orders = [self._newest(allowed, most)]
            reached = max(len(order) for order in orders)
            return Retrieved(
                found=self._found(orders, scores, dict(zip(meant.tolist(), similar.tolist(), strict=True))),
                postings=len(self._rows),
                passing=passing,
                other_vectors=passing - self._comparable(asked, allowed) if asked.vector else 0,
                exhausted=reached < most,
            )

    def _allowed(self, filters: SavedSearch) -> NDArray[np.bool_]:
        allowed = self._live[: len(self._ids)].copy()
        for column in self._columns:
            allowed = column.narrow(filters, allowed)
        return allowed

    def _by_meaning(
        self, asked: Asked, allowed: NDArray[np.bool_], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        table = self._table(asked)
        if table is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        return table.nearest(unpack([asked.vector], table.width)[0], allowed, most)

    def _comparable(self, asked: Asked, allowed: NDArray[np.bool_]) -> int:
        table = self._table(asked)
        return 0 if table is None else table.count(allowed)

    def _table(self, asked: Asked) -> VectorTable | None:
        """The vectors that compare with the query's: of its model and width."""
        table = self._vectors.get(asked.model) if asked.vector else None
        return table if table is not None and table.width == width_of(asked.vector) else None

    def _newest(self, allowed: NDArray[np.bool_], most: int) -> list[int]:
        rows = np.flatnonzero(allowed).tolist()
        return heapq.nsmallest(most, rows, key=lambda row: (-self._versions[row], row))

    def _found(
        self, orders: Sequence[list[int]], scores: NDArray[np.float32], similar: dict[int, float]
    ) -> list[Found]:
        words = {row: place for place, row in enumerate(orders[0], 1) if scores[row] > 0}
        meanings = {row: place for place, row in enumerate(similar, 1)}
        return [
            Found(
                posting_id=self._ids[row],
                version=int(self._versions[row]),
                bm25=float(scores[row]),
                word_place=words.get(row),
                similarity=similar.get(row, 0.0),
                meaning_place=meanings.get(row),
            )
            for row in fused(orders)
        ]

    def _add(self, record: FeatureRecord, counts: dict[str, int]) -> None:
        row = self._free.pop() if self._free else len(self._ids)
        if row == len(self._ids):
            self._ids.append("")
            self._versions, self._live = grown(self._versions, row + 1), grown(self._live, row + 1)
        self._rows[record.posting_id], self._ids[row] = row, record.posting_id
        self._versions[row], self._live[row] = record.version, True
        self._terms.put(row, counts)
        for column in self._columns:
            column.put(row, record)
        self._put_vector(row, record)

    def _put_vector(self, row: int, record: FeatureRecord) -> None:
        width = width_of(record.vector)
        if not width or not record.vector_model:
            return
        table = self._vectors.get(record.vector_model)
        if table is None or (table.width != width and not table.held):
            table = self._vectors[record.vector_model] = VectorTable(width)
        if table.width == width:
            table.put(row, np.frombuffer(record.vector, "<f2"))

    def _drop(self, posting_id: str, row: int) -> None:
        del self._rows[posting_id]
        self._live[row] = False
        self._terms.drop(row)
        for table in self._vectors.values():
            table.drop(row)
        self._free.append(row)


def _counts(record: FeatureRecord) -> dict[str, int]:
    """How often each of a posting's terms counts: once where it stands anywhere, once more where in the title."""
    counts = Counter(feature_terms(record))
    counts.update(terms(record.title))
    return dict(counts)


def _best(scores: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """The rows with the highest scores above 0, best first; of equal ones the lower row."""
    rows = np.flatnonzero(scores)
    if len(rows) > most:
        least = np.partition(scores[rows], -most)[-most]
        rows = rows[scores[rows] >= least]
    best: NDArray[np.int64] = rows[np.lexsort((rows, -scores[rows]))][:most]
    return best
