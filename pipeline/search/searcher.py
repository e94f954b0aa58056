"""`Searcher`: a person's words to a page of results: understand, retrieve, score, place (docs/search.md)."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from models.embedder import Embedder
from models.ranker import Ranker
from pipeline.control.depth import DepthController, DepthSample, DepthSettings
from pipeline.control.recent import RecentLatencies
from pipeline.filters import filters_pass
from pipeline.match import ready
from pipeline.scoring.each import score_each
from pipeline.scoring.items import item_of
from pipeline.search.index import Asked, Found, Retrieved, SearchIndex
from pipeline.search.pages import FIRST, Answer, Cursor, Pages, read_cursor
from pipeline.search.placing import ByRelevance, Placing
from pipeline.search.query_vectors import QueryVectors, vector_or_why
from pipeline.search.reasons import reasons
from pipeline.search.results import Ranked, Result, Results
from pipeline.search.wanted import Corrections, Wanted, wanted
from pipeline.understanding.rules import RuleUnderstanding
from pipeline.understanding.understood import Understanding
from schemas.errors import ConfigError, ModelUnavailable
from schemas.records import FeatureRecord, SavedSearch
from schemas.settings import Option
from storage.features import FeatureStore

UNCORRECTED = Corrections()
#: Over which time the latencies of searches are looked at, for the depth.
RECENT_S = 30.0
MOST_RESULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How a search is answered; ConfigError for settings that cannot work."""

    depth: Annotated[
        int,
        Option(
            "Postings of a search that the ranker scores, while searches are fast enough.",
            at_least=1,
            at_most=1000,
        ),
    ] = 100
    least_depth: Annotated[
        int, Option("Postings that are scored however slow searches are.", at_least=1, at_most=1000)
    ] = 20
    p95_s: Annotated[
        float, Option("Aim for 95 of 100 searches, in seconds: slower ones lower the depth.", "--p95-s")
    ] = 0.4
    deadline_s: Annotated[
        float,
        Option(
            "A search whose scores have not come by then is answered in the order of its retrieval, and says so."
        ),
    ] = 2.0
    embed_s: Annotated[
        float, Option("A query whose vector has not come by then is answered by its words, and says so.")
    ] = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.p95_s <= self.deadline_s:
            raise ConfigError(
                f"p95_s must be above 0 and at most deadline_s ({self.deadline_s:g}), not {self.p95_s:g}"
            )
        if not self.embed_s > 0:
            raise ConfigError(f"embed_s must be above 0, not {self.embed_s:g}")
        if self.least_depth > self.depth:
            raise ConfigError(
                f"least_depth {self.least_depth} is above depth {self.depth}: lower it, or raise depth"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """One page that a person asks for. `cursor`: of the page before; "" for the first. ConfigError for a bad limit."""

    query: str
    corrections: Corrections = UNCORRECTED
    limit: int = 10
    cursor: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_RESULTS:
            raise ConfigError(f"limit must be 1 to {MOST_RESULTS}, not {self.limit}")


class Searcher:
    """Answers searches over an index; several threads may call it. `clock` is monotonic, in seconds.

    What is away costs quality and is said in the answer: without an embedder words alone retrieve, without a ranker the
    order is that of the retrieval. Only the store has to answer.
    """

    def __init__(
        self,
        index: SearchIndex,
        features: FeatureStore,
        ranker: Ranker,
        settings: SearchSettings | None = None,
        *,
        embedder: Embedder | None = None,
        understanding: Understanding | None = None,
        placing: Placing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index, self._features, self._ranker = index, features, ranker
        self._vectors = None if embedder is None else QueryVectors(embedder, clock)
        self._understanding, self._placing = understanding or RuleUnderstanding(), placing or ByRelevance()
        self._settings, self._clock = settings or SearchSettings(), clock
        self._pages = Pages()
        self._load = _Load(self._settings)

    @property
    def depth(self) -> int:
        """Postings of a search that are scored now."""
        return self._load.depth

    def search(self, asked: SearchRequest) -> Results:
        """One page; raises ConfigError or EventError for a request that cannot be answered, StoreUnavailable."""
        steps = _Steps(self._clock)
        cursor = read_cursor(asked.cursor) if asked.cursor else FIRST
        kept = self._pages.get(cursor.name)
        if kept is not None:
            return self._page(kept, cursor, asked.limit, steps)
        answer = self._answer(asked, steps)
        self._load.observe(self._clock(), steps.total_s)
        return self._page(answer, replace(cursor, name=""), asked.limit, steps)

    def _answer(self, asked: SearchRequest, steps: "_Steps") -> Answer:
        """The whole order for a query, scored anew."""
        missing: list[str] = []
        sought = wanted(asked.query, asked.corrections, self._understanding)
        steps.done("understand")
        look = self._look(sought, missing)
        steps.done("embed")
        depth = self._load.depth
        retrieved, records = self._candidates(look, depth)
        steps.done("retrieve")
        ranked, model = self._ranked(sought, retrieved, records, missing)
        steps.done("score")
        if model:
            ranked = self._placing.place(ranked, min(asked.limit, 10))
        steps.done("place")
        return Answer(
            wanted=sought,
            ranked=tuple(ranked),
            postings=retrieved.postings,
            passing=retrieved.passing,
            depth=depth,
            model=model,
            missing=tuple(missing),
        )

    def _look(self, sought: Wanted, missing: list[str]) -> Asked:
        asked = Asked(filters=sought.filters, terms=sought.terms)
        if not asked.terms:
            return asked
        made, why = vector_or_why(self._vectors, sought.query, self._settings.embed_s)
        if why:
            missing.append(f"embedder: found by words alone ({why})")
        return asked if made is None else replace(asked, vector=made.vector, model=made.model)

    def _candidates(self, look: Asked, depth: int) -> tuple[Retrieved, list[FeatureRecord]]:
        """The best postings that also pass every filter by their records of this moment, at most `depth`; the records.

        The index knows no phrases, and a posting may have closed a moment ago: it is asked for more until enough pass.
        """
        most = depth
        while True:
            retrieved = self._index.find(look, most)
            passing = self._passing(look.filters, retrieved.found, depth)
            if len(passing) >= depth or retrieved.exhausted:
                return replace(retrieved, found=[one for one, _ in passing]), [
                    record for _, record in passing
                ]
            most *= 4

    def _passing(
        self, filters: SavedSearch, found: Sequence[Found], depth: int
    ) -> list[tuple[Found, FeatureRecord]]:
        """The first `depth` of these postings that can be shown; no more records are read than are needed for that."""
        passing, at = list[tuple[Found, FeatureRecord]](), 0
        while at < len(found) and len(passing) < depth:
            part = found[at : at + depth - len(passing)]
            held = self._features.get_many([one.posting_id for one in part])
            passing += [
                (one, record)
                for one, record in zip(part, held, strict=True)
                if record is not None and _can_be_shown(filters, record)
            ]
            at += len(part)
        return passing

    def _ranked(
        self, sought: Wanted, retrieved: Retrieved, records: Sequence[FeatureRecord], missing: list[str]
    ) -> tuple[list[Ranked], str]:
        """The candidates best first, and the ranker's name; in the order of retrieval and "" without its scores."""
        found = retrieved.found
        if not found or not sought.terms:
            return [Ranked(found=one) for one in found], ""
        items = [item_of(record) for record in records]
        try:
            scores = score_each(
                self._ranker, sought.query, items, self._clock() + self._settings.deadline_s, self._clock
            )
        except ModelUnavailable as error:
            missing.append(f"ranker: in the order of retrieval ({error})")
            return [Ranked(found=one) for one in found], ""
        scored = [
            Ranked(found=one, p_yes=p_yes)
            for one, p_yes in zip(found, scores, strict=True)
            if isinstance(p_yes, float)
        ]
        if refused := len(found) - len(scored):
            missing.append(f"ranker: refuses {refused} of {len(found)} postings, which are left out")
        return sorted(scored, key=_best_first), self._ranker.model

    def _page(self, answer: Answer, cursor: Cursor, limit: int, steps: "_Steps") -> Results:
        """The next page of an answer: those of its postings that are still open and pass, from a place on."""
        results, at = list[Result](), cursor.start
        for at, (one, record) in enumerate(self._current(answer, cursor.start, limit), cursor.start + 1):
            if record is not None:
                results.append(_result(answer, at, one, record))
            if len(results) == limit:
                break
        more = at < len(answer.ranked)
        name = cursor.name or (self._pages.keep(answer) if more else "")
        steps.done("show")
        return Results(
            wanted=answer.wanted,
            results=tuple(results),
            total=len(answer.ranked),
            cursor=str(Cursor(name=name, start=at)) if more else "",
            postings=answer.postings,
            passing=answer.passing,
            depth=answer.depth,
            model=answer.model,
            missing=answer.missing,
            took_s=steps.took_s,
        )

    def _current(
        self, answer: Answer, start: int, limit: int
    ) -> Iterator[tuple[Ranked, FeatureRecord | None]]:
        """The postings from a place on with their records of this moment, None for one that passes no more."""
        left = answer.ranked[start:]
        for at in range(0, len(left), limit):
            part = left[at : at + limit]
            held = self._features.get_many([one.found.posting_id for one in part])
            for one, record in zip(part, held, strict=True):
                shown = record is not None and _can_be_shown(answer.wanted.filters, record)
                yield one, record if shown else None


class _Load:
    """The depth of searches by how long the recent ones took, for the threads that answer them."""

    def __init__(self, settings: SearchSettings) -> None:
        aims = DepthSettings(floor=settings.least_depth, most=settings.depth, p95_s=settings.p95_s)
        self._controller, self._latencies = DepthController(aims), RecentLatencies(RECENT_S)
        self._lock = threading.Lock()

    @property
    def depth(self) -> int:
        return self._controller.depth

    def observe(self, now: float, took_s: float) -> None:
        with self._lock:
            self._latencies.observe(now, took_s)
            self._controller.observe(now, DepthSample(self._latencies.percentile(now)))


class _Steps:
    """Seconds of each step of one search."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self._last = self._began
        self.took_s: dict[str, float] = {}

    def done(self, step: str) -> None:
        now = self._clock()
        self.took_s[step], self._last = now - self._last, now

    @property
    def total_s(self) -> float:
        return self._last - self._began


def _can_be_shown(filters: SavedSearch, record: FeatureRecord) -> bool:
    return ready(record) and filters_pass(filters, record)


def _best_first(one: Ranked) -> tuple[float, int, str]:
    """A key by score; of equal ones the newer posting."""
    return -(one.p_yes or 0.0), -one.found.version, one.found.posting_id


def _result(answer: Answer, place: int, one: Ranked, record: FeatureRecord) -> Result:
    return Result(
        place=place,
        record=record,
        p_yes=one.p_yes,
        found=one.found,
        reasons=tuple(reasons(answer.wanted, one, record)),
        promotion=one.promotion,
    )
