"""Training prompts over real postings: windows of their texts, labelled with the grade of the text up to each place.

Queries come from two askers: `facet_queries` (an occupation and facets of the rule teacher, in a searcher's words) and
`word_queries` (an occupation and words of a posting's text, or words with near vectors), which teaches matching beyond
any lexicon.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from training.components.arrays import Ids, Ints
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES, LabelledPrompt
from training.tiny.ranker.views import Views, ViewShares

EVERY = 16
"""Tokens between two labelled places of a stretch in which the grade does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Tokens [begin, end) of a text that state the fact named by `tag`, such as `facet:nights`."""

    begin: int
    end: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkedPosting:
    """A posting as ids: `head` is its prompt up to the text, `ids` the text, `mentions` the facts stated in it."""

    head: list[int]
    ids: Ids
    mentions: tuple[Mention, ...]
    known: frozenset[str]
    """Tags of the facts that title and metadata state."""
    occupation: str
    place: str | None
    title: str = ""
    text: str = ""
    clauses: Ints = field(default_factory=lambda: np.zeros((0, 4), dtype=np.int64))
    """[clauses, 4]: where each begins and ends in `ids` and in `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuery:
    """A query as ids, its candidates, and the function from a candidate and the tags read so far to a soft label."""

    prefix: list[int]
    candidates: tuple[MarkedPosting, ...]
    tags: frozenset[str]
    """Tags on which the grade depends."""
    extra: tuple[tuple[Mention, ...], ...]
    """For each candidate, mentions of the query's own words beside those that the posting carries."""
    target: Callable[[MarkedPosting, Collection[str]], float]


class RealPool:
    """Draws queries from several askers by their shares, and cuts the candidates' texts to windows."""

    def __init__(
        self,
        rng: Random,
        encoder: Encoder,
        askers: Sequence[tuple[float, Callable[[], AskedQuery]]],
        shares: ViewShares | None = None,
    ) -> None:
        """`askers`: for each its share, and a function that draws one query with CANDIDATES candidates."""
        self._rng, self._encoder = rng, encoder
        self._views = Views(rng, shares or ViewShares())
        self._shares, self._askers = zip(*askers, strict=True)

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """`queries` x CANDIDATES prompts, those of one query together."""
        out: list[LabelledPrompt] = []
        for _ in range(queries):
            asked = self._rng.choices(self._askers, self._shares)[0]()
            assert len(asked.candidates) == CANDIDATES  # noqa: S101
            shown = 0 if self._rng.random() < self._views.shares.none else window
            for item, extra in zip(asked.candidates, asked.extra, strict=True):
                out.append(self._example(asked, item, extra, shown))
        return out

    def _example(
        self, asked: AskedQuery, item: MarkedPosting, extra: Sequence[Mention], window: int
    ) -> LabelledPrompt:
        wanted = sorted(
            (m for m in (*item.mentions, *extra) if m.tag in asked.tags), key=lambda mention: mention.end
        )
        pieces = self._views.of(item, wanted, window)
        joiner = self._rng.choice(self._encoder.joiners) if len(pieces) > 1 else []
        ids = asked.prefix + item.head + (self._encoder.marker if pieces else [])
        seen = set(item.known)
        value = asked.target(item, seen)
        places: list[int] = []
        targets: list[float] = []
        for begin, end in pieces:
            start, at = len(ids), begin
            ids = ids + item.ids[begin:end].tolist() + joiner
            for stop, tag in [
                *((m.end, m.tag) for m in wanted if m.begin >= begin and m.end <= end),
                (end, ""),
            ]:
                for place in range(at + EVERY, stop - EVERY // 2, EVERY):
                    places.append(start + place - begin - 1)
                    targets.append(value)
                if tag and tag not in seen:
                    seen.add(tag)
                    value = asked.target(item, seen)
                if stop > begin and (not places or places[-1] < start + stop - begin - 1):
                    places.append(start + stop - begin - 1)
                    targets.append(value)
                at = max(at, stop)
        ids = ids + self._encoder.suffix
        return LabelledPrompt(ids=ids, places=[*places, len(ids) - 1], targets=[*targets, value])
