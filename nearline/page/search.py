"""What the search box asks and gets: the protocol, and a stand-in that looks at the words of what the store has."""

import heapq
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from pipeline.match import feature_terms, match_score, passes, ready
from pipeline.terms import terms
from schemas.records import FeatureRecord, SavedSearch

MOST_RESULTS = 20
MOST_CHARS = 2_000
"""Longer questions are refused: nobody types them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that was understood: what it sets (`place`), to what, and the words that say so."""

    name: str
    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person typed, and the names of the parts that the person took out of what was understood of it."""

    text: str
    dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One posting of the answer; `p_yes` is None where no ranker scored it, `why` says what it was found by."""

    record: FeatureRecord
    p_yes: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer: what was understood, the words that are left to look for, the results, and how it was made."""

    understood: Sequence[Part]
    words: Sequence[str]
    results: Sequence[Result]
    how: str
    seconds: float


class Searcher(Protocol):
    """Answers the search box."""

    def search(self, question: Question) -> Found:
        """The best open postings for a question.

        Raises ConfigError for a question that cannot be answered, ModelUnavailable or StoreUnavailable while a part is
        away.
        """
        ...


class WordSearcher(Searcher):
    """`Searcher` by words alone over all records of a store: for a system that has no search service."""

    def __init__(
        self, records: Callable[[], Iterable[FeatureRecord]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records, self._clock = records, clock

    @override
    def search(self, question: Question) -> Found:
        """Read every record, those first that hold most of the words, in the title above all."""
        started, wanted = self._clock(), SavedSearch(search_id="", query=question.text)
        words = [word for word in question.text.split() if terms(word)]
        fitting = (one for one in self._records() if words and ready(one) and passes(wanted, one))
        best = heapq.nlargest(MOST_RESULTS, fitting, key=lambda one: (match_score(wanted, one), one.version))
        return Found(
            understood=(),
            words=words,
            results=[
                Result(record=one, p_yes=None, why=f"has {_among(words, feature_terms(one))}") for one in best
            ],
            how="by words alone, newest first among equals; the ranker was not asked",
            seconds=self._clock() - started,
        )


def _among(words: Sequence[str], held: frozenset[str]) -> str:
    return ", ".join(word for word in words if terms(word) & held)
