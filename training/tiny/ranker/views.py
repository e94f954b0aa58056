"""The forms in which a prompt shows a text: raw, a window of it, or a selection as summaries of several styles read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.tiny.ranker.real_pool import MarkedPosting, Mention

AROUND = 10
"""Most tokens of a snippet on either side of its mention."""
NEAR_MENTION = 0.7
"""Share of the windows from anywhere that are placed so that they hold a mention asked for."""
BUDGETS = (12, 20, 32, 48, 64, 96, 128)
"""Lengths of the selections of clauses and keywords, in tokens."""
KEPT = 0.75
"""Share of the mentions asked for that a selection keeps: a summary misses some."""
KEYWORD = 8
"""Tokens of the longest mention that is shown as a keyword."""
Piece = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewShares:
    """How often a text is shown in which form; the first six sum to 1.

    `start`: from its start; `crop`: a stretch from anywhere; `snippets`: a few tokens around mentions; `clauses`: whole
    clauses; `keywords`: short runs of words; `first`: the first clauses. `none`: share of queries without any text.
    """

    start: float = 0.30
    crop: float = 0.45
    snippets: float = 0.25
    clauses: float = 0.0
    keywords: float = 0.0
    first: float = 0.0
    none: float = 0.0


SERVED = ViewShares(start=0.30, crop=0.20, snippets=0.10, clauses=0.25, keywords=0.08, first=0.07, none=0.10)
"""All forms that prompts have in production."""


class Views:
    """Cuts texts to at most a window of tokens."""

    def __init__(self, rng: Random, shares: ViewShares) -> None:
        self._rng, self.shares = rng, shares

    def of(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:
        """The parts [begin, end) of the text that a prompt holds, in order; several are a selection."""
        length = len(item.ids)
        if length == 0 or window == 0:
            return []
        forms = (self._start, self._crop, self._snippets, self._clauses, self._keywords, self._first)
        form = self._rng.choices(forms, astuple(self.shares)[: len(forms)])[0]
        return form(item, wanted, window)

    def _start(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:  # noqa: ARG002
        return [(0, min(len(item.ids), window))]

    def _crop(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:
        rng, length = self._rng, len(item.ids)
        if length <= window:
            return [(0, length)]
        if wanted and rng.random() < NEAR_MENTION:
            mention = rng.choice(wanted)
            begin = mention.begin - rng.randrange(max(1, window - (mention.end - mention.begin)))
        else:
            begin = rng.randrange(length - window + 1)
        begin = min(max(0, begin), length - window)
        return [(begin, begin + window)]

    def _snippets(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:
        """A few tokens around most mentions asked for, and around random places."""
        rng, length = self._rng, len(item.ids)
        spans = [(m.begin, m.end) for m in wanted if rng.random() < 0.8]
        spans += [(at, at + 2) for at in (rng.randrange(length) for _ in range(rng.randrange(2, 7)))]
        rng.shuffle(spans)
        wide = [
            (max(0, begin - rng.randrange(AROUND)), min(length, end + rng.randrange(AROUND)))
            for begin, end in spans[:8]
        ]
        return _fitted(wide, window)

    def _clauses(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:
        """Most clauses that hold a mention asked for, and others, in the order of the text."""
        rng = self._rng
        all_ = _token_spans(item)
        holding = [c for c in all_ if any(c[0] <= m.begin and m.end <= c[1] for m in wanted)]
        kept = [c for c in holding if rng.random() < KEPT]
        others = [c for c in all_ if c not in holding]
        mixed = rng.sample(kept, min(4, len(kept))) + rng.sample(others, min(8, len(others)))
        return _fitted(mixed, self._budget(window))

    def _keywords(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:
        """Most short mentions asked for, and the first words of some clauses."""
        rng = self._rng
        spans = [(m.begin, m.end) for m in wanted if m.end - m.begin <= KEYWORD and rng.random() < KEPT][:5]
        clauses = _token_spans(item)
        spans += [
            (begin, min(end, begin + rng.randint(1, 5)))
            for begin, end in rng.sample(clauses, min(8, len(clauses)))
        ]
        return _fitted(spans, self._budget(window))

    def _first(self, item: MarkedPosting, wanted: Sequence[Mention], window: int) -> list[Piece]:  # noqa: ARG002
        room, found = self._budget(window), list[Piece]()
        for begin, end in _token_spans(item):
            room -= end - begin + 1
            if room < 0:
                break
            found.append((begin, end))
        return found

    def _budget(self, window: int) -> int:
        return min(window, self._rng.choice(BUDGETS))


def _token_spans(item: MarkedPosting) -> list[Piece]:
    return [(begin, end) for begin, end, _, _ in item.clauses.tolist()]


def _fitted(spans: Iterable[Piece], room: int) -> list[Piece]:
    """Spans that do not overlap and fit in the room with a token between them, the earlier given first; in order."""
    pieces: list[Piece] = []
    for begin, end in spans:
        overlaps = any(begin < e and b < end for b, e in pieces)
        if not overlaps and end - begin <= room:
            pieces.append((begin, end))
            room -= end - begin + 1
    return sorted(pieces)
