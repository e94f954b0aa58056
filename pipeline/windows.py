"""Collect the candidates of one search, for a short time, into one score request."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from schemas.records import Candidate, Reason, SavedSearch, ScoreRequest
from schemas.settings import Option

#: From the weakest to the strongest.
_STRENGTH = (Reason.UNKNOWN, Reason.EDITED, Reason.SEARCH, Reason.NEW, Reason.REOPENED)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """A window ends `window_s` after its first candidate, or when it holds `max_items`."""

    window_s: Annotated[float, Option("How long one search's candidates are collected.")] = 0.1
    max_items: Annotated[int, Option("Candidates of one score request at most.")] = 100


class _Window:
    __slots__ = ("candidates", "due_s", "search", "similarities")

    def __init__(self, search: SavedSearch, due_s: float) -> None:
        self.search = search
        self.due_s = due_s
        self.candidates: dict[str, Candidate] = {}
        self.similarities: dict[str, float] = {}

    def dissimilarity(self, candidate: Candidate) -> float:
        """Orders the most similar candidates first, and those that their words found after them as they came."""
        return -self.similarities.get(candidate.posting_id, -1.0)


class Windows:
    """At most one open window for each search; its request has the most similar candidates first.

    `now_s`: seconds of the caller's monotonic clock, so that a step of the wall clock neither holds a window back nor
    ends it early. `utc_s`: UTC seconds, from which a request has its `created_ms`.
    """

    def __init__(self, settings: WindowSettings, utc_s: Callable[[], float] = time.time) -> None:
        self._settings, self._utc_s = settings, utc_s
        # in the order in which they opened, which is the order in which they end
        self._open: dict[str, _Window] = {}

    def add(
        self, search: SavedSearch, candidate: Candidate, now_s: float, similarity: float | None = None
    ) -> ScoreRequest | None:
        """Add a candidate, with its similarity if vectors found it; returns the request if that filled the window.

        Of several candidates of one posting the newest version stays, with the strongest of their reasons: an edit of a
        posting that was new a moment ago leaves it new. The request has the search as last given.
        """
        window = self._open.get(search.search_id)
        if window is None:
            window = self._open[search.search_id] = _Window(search, now_s + self._settings.window_s)
        window.search = search
        if similarity is not None:
            window.similarities[candidate.posting_id] = similarity
        else:
            window.similarities.pop(candidate.posting_id, None)
        waiting = window.candidates.get(candidate.posting_id)
        window.candidates[candidate.posting_id] = (
            candidate if waiting is None else _joined(waiting, candidate)
        )
        if len(window.candidates) < self._settings.max_items:
            return None
        return self._close(search.search_id)

    def due(self, now_s: float) -> list[ScoreRequest]:
        """Requests whose windows have ended by `now_s`."""
        ended = [search_id for search_id, window in self._open.items() if window.due_s <= now_s]
        return [self._close(search_id) for search_id in ended]

    def flush(self) -> list[ScoreRequest]:
        """The requests of all open windows, ended or not: before a commit or a stop."""
        return [self._close(search_id) for search_id in list(self._open)]

    def cancel(self, search_id: str) -> int:
        """Drop the window of a search that was changed or unsubscribed; returns how many candidates it held."""
        window = self._open.pop(search_id, None)
        return len(window.candidates) if window else 0

    def next_due_s(self) -> float | None:
        """When the next window ends; None while none is open."""
        return min((window.due_s for window in self._open.values()), default=None)

    def _close(self, search_id: str) -> ScoreRequest:
        window = self._open.pop(search_id)
        return ScoreRequest(
            search=window.search,
            candidates=tuple(sorted(window.candidates.values(), key=window.dissimilarity)),
            created_ms=int(self._utc_s() * 1000),
        )


def stronger(a: Reason, b: Reason) -> Reason:
    """Of two reasons for which a posting became a candidate, the one that its alert gives."""
    return max(a, b, key=_STRENGTH.index)


def _joined(waiting: Candidate, candidate: Candidate) -> Candidate:
    newest = waiting if waiting.version > candidate.version else candidate
    reason = stronger(waiting.reason, candidate.reason)
    return newest if newest.reason is reason else replace(newest, reason=reason)
