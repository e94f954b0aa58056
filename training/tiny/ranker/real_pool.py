"""Training prompts over real postings: windows of their texts, labelled with the grade of the text up to each place.

Queries come from two askers: `facet_queries` (an occupation and facets of the rule teacher, in a searcher's words) and
`word_queries` (an occupation and words of a posting's text, or words with near vectors), which teaches matching beyond
any lexicon.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from training.components.arrays import Ids
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES, LabelledPrompt

EVERY = 16
"""Tokens between two labelled places of a stretch in which the grade does not change."""
SUMMARY, CROP = 0.25, 0.45
"""Shares of windows made of snippets around mentions, and of windows from anywhere; the others start at the start."""
AROUND = 10
"""Most tokens of a snippet on either side of its mention."""
NEAR_MENTION = 0.7
"""Share of the windows from anywhere that are placed so that they hold a mention asked for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuery:
    """A query as ids, its candidates, and the function that grades a candidate 0-4 by the tags read so far."""

    prefix: list[int]
    candidates: tuple[MarkedPosting, ...]
    tags: frozenset[str]
    """Tags on which the grade depends."""
    extra: tuple[tuple[Mention, ...], ...]
    """For each candidate, mentions of the query's own words beside those that the posting carries."""
    grade: Callable[[MarkedPosting, Collection[str]], int]


class RealPool:
    """Draws queries from several askers by their shares, and cuts the candidates' texts to windows."""

    def __init__(
        self, rng: Random, encoder: Encoder, askers: Sequence[tuple[float, Callable[[], AskedQuery]]]
    ) -> None:
        """`askers`: for each its share, and a function that draws one query with CANDIDATES candidates."""
        self._rng, self._encoder = rng, encoder
        self._shares, self._askers = zip(*askers, strict=True)

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """`queries` x CANDIDATES prompts, those of one query together."""
        out: list[LabelledPrompt] = []
        for _ in range(queries):
            asked = self._rng.choices(self._askers, self._shares)[0]()
            assert len(asked.candidates) == CANDIDATES  # noqa: S101
            for item, extra in zip(asked.candidates, asked.extra, strict=True):
                out.append(self._example(asked, item, extra, window))
        return out

    def _example(
        self, asked: AskedQuery, item: MarkedPosting, extra: Sequence[Mention], window: int
    ) -> LabelledPrompt:
        wanted = sorted(
            (m for m in (*item.mentions, *extra) if m.tag in asked.tags), key=lambda mention: mention.end
        )
        pieces = self._view(len(item.ids), wanted, window)
        ids = asked.prefix + item.head + (self._encoder.marker if pieces else [])
        seen = set(item.known)
        value = SOFT_LABELS[asked.grade(item, seen)]
        places: list[int] = []
        targets: list[float] = []
        for begin, end in pieces:
            start, at = len(ids), begin
            ids = ids + item.ids[begin:end].tolist() + (self._encoder.comma if len(pieces) > 1 else [])
            for stop, tag in [
                *((m.end, m.tag) for m in wanted if m.begin >= begin and m.end <= end),
                (end, ""),
            ]:
                for place in range(at + EVERY, stop - EVERY // 2, EVERY):
                    places.append(start + place - begin - 1)
                    targets.append(value)
                if tag and tag not in seen:
                    seen.add(tag)
                    value = SOFT_LABELS[asked.grade(item, seen)]
                if stop > begin and (not places or places[-1] < start + stop - begin - 1):
                    places.append(start + stop - begin - 1)
                    targets.append(value)
                at = max(at, stop)
        ids = ids + self._encoder.suffix
        return LabelledPrompt(ids=ids, places=[*places, len(ids) - 1], targets=[*targets, value])

    def _view(self, length: int, wanted: Sequence[Mention], window: int) -> list[tuple[int, int]]:
        """The parts [begin, end) of the text that a prompt holds, at most `window` tokens in all."""
        rng, roll = self._rng, self._rng.random()
        if length == 0:
            return []
        if roll < SUMMARY:
            return self._snippets(length, wanted, window)
        if roll < SUMMARY + CROP and length > window:
            if wanted and rng.random() < NEAR_MENTION:
                mention = rng.choice(wanted)
                begin = mention.begin - rng.randrange(max(1, window - (mention.end - mention.begin)))
            else:
                begin = rng.randrange(length - window + 1)
            begin = min(max(0, begin), length - window)
            return [(begin, begin + window)]
        return [(0, min(length, window))]

    def _snippets(self, length: int, wanted: Sequence[Mention], window: int) -> list[tuple[int, int]]:
        """Parts that read like a summary: a few tokens around most mentions asked for, and around random places."""
        rng = self._rng
        spans = [(m.begin, m.end) for m in wanted if rng.random() < 0.8]
        spans += [(at, at + 2) for at in (rng.randrange(length) for _ in range(rng.randrange(2, 7)))]
        rng.shuffle(spans)
        pieces: list[tuple[int, int]] = []
        room = window
        for begin, end in spans[:8]:
            piece = (max(0, begin - rng.randrange(AROUND)), min(length, end + rng.randrange(AROUND)))
            overlaps = any(piece[0] < e and b < piece[1] for b, e in pieces)
            if not overlaps and piece[1] - piece[0] <= room:
                pieces.append(piece)
                room -= piece[1] - piece[0] + 1
        return sorted(pieces)
