"""Answers that are kept for their next pages, so that no posting comes twice or is left out while others arrive."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cachebox import TTLCache

from pipeline.search.results import Ranked
from pipeline.search.wanted import Wanted
from schemas.errors import ConfigError

#: As long as a score counts, so that the pages of an answer have the scores of its first one.
KEPT_S = 900.0
KEPT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The order of all pages of one search."""

    wanted: Wanted
    ranked: tuple[Ranked, ...]
    postings: int
    passing: int
    depth: int
    model: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page begins: the answer's name and the first place, from 0. Its text is `NAME.START`."""

    name: str
    start: int

    def __str__(self) -> str:
        return f"{self.name}.{self.start}"


#: Of a search that has no page before.
FIRST = Cursor(name="", start=0)


class Pages:
    """The newest answers, each for `KEPT_S`."""

    def __init__(self, kept_s: float = KEPT_S, kept: int = KEPT) -> None:
        self._answers: TTLCache[str, Answer] = TTLCache(kept, kept_s)

    def keep(self, answer: Answer, name: Callable[[], str] = lambda: secrets.token_urlsafe(9)) -> str:
        """Keep an answer, and return the name by which its pages are asked."""
        made = name()
        self._answers.insert(made, answer)
        return made

    def get(self, name: str) -> Answer | None:
        """The answer of this name; None when it is too old, or another process gave it."""
        return self._answers.get(name)


def read_cursor(text: str) -> Cursor:
    """The cursor that an answer gave; ConfigError for a text that none gave."""
    name, _, start = text.rpartition(".")
    if not name or not (start.isascii() and start.isdigit() and len(start) < 7):
        raise ConfigError(
            f"the cursor {text[:40]!r} is none that an answer gave: leave it out for the first page"
        )
    return Cursor(name=name, start=int(start))
