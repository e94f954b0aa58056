"""What the search box asks and gets: the search service's request and answer, and a stand-in by words alone."""

import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import httpx
from typing_extensions import override

from nearline.page.messages import record_item
from nearline.stack.component import HTTP
from pipeline.match import feature_terms, match_score, passes, ready
from pipeline.terms import terms
from schemas.errors import ConfigError, ModelUnavailable
from schemas.records import FeatureRecord, SavedSearch

MOST_RESULTS = 20
TIMEOUT_S = 30.0
"""The service's own deadline is shorter."""
Json = Mapping[str, Any]


class Searcher(Protocol):
    """Answers the search box."""

    def search(self, asked: Json) -> Json:
        """The answer of `POST /v1/search` to its body {query, dropped, set, limit, cursor}.

        Raises ConfigError for a question that cannot be answered, and ModelUnavailable or StoreUnavailable while a part
        is away.
        """
        ...


class ServiceSearcher(Searcher):
    """`Searcher` by the search service at `url`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/v1/search"

    @override
    def search(self, asked: Json) -> Json:
        """Pass request and answer on as they are."""
        try:
            response = HTTP.post(self._url, json=dict(asked), timeout=TIMEOUT_S)
            answer: Json = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ModelUnavailable(
                f"no search service answers at {self._url} ({error}): `nearline up` starts one, `nearline status` shows it"
            ) from error
        if response.status_code == 200:
            return answer
        line = str(answer.get("error", response.text))
        raise ConfigError(line) if response.status_code == 400 else ModelUnavailable(line)


class WordSearcher(Searcher):
    """`Searcher` by words alone over all records of a store: for a system without a search service.

    It reads every record for each question, understands no filters, and asks no ranker.
    """

    def __init__(
        self, records: Callable[[], Iterable[FeatureRecord]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records, self._clock = records, clock

    @override
    def search(self, asked: Json) -> Json:
        """Return the postings that hold most of the words, in the title above all, and of equals the newest."""
        started, wanted = self._clock(), SavedSearch(search_id="", query=asked["query"])
        words = [word for word in wanted.query.split() if terms(word)]
        open_now = [one for one in self._records() if ready(one)]
        fitting = [one for one in open_now if words and passes(wanted, one)]
        best = heapq.nlargest(MOST_RESULTS, fitting, key=lambda one: (match_score(wanted, one), one.version))
        return {
            "understood": [],
            "words": words,
            "notes": ["found by words alone: no search service was named"],
            "missing": [],
            "results": [_result(place, one, words) for place, one in enumerate(best, start=1)],
            "total": len(best),
            "cursor": "",
            "postings": len(open_now),
            "passing": len(open_now),
            "took_ms": {"words": 1000 * (self._clock() - started)},
        }


def _result(place: int, record: FeatureRecord, words: Sequence[str]) -> Json:
    held = feature_terms(record)
    found = ", ".join(word for word in words if terms(word) & held)
    return record_item(record) | {
        "place": place,
        "p_yes": None,
        "reasons": [f"has {found}"],
        "promoted": None,
    }
