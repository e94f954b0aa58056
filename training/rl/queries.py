"""The queries by which a posting's summaries are judged: some that it matches, some nearly, some not at all.

Their answers on the summary are compared with those on the raw text; nobody grades them. They are drawn once for each
posting, from the posting, the rules' lexicon and other postings of the same split, so that nothing of another split
is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from schemas.clean import clean
from training.judging.postings import PostingRow
from training.judging.records import Split
from training.judging.words import EMPTY_WORDS, search_words
from training.rules.evidence import Evidence, evidence
from training.rules.lexicon.entries import RuleLexicon, held_out

TITLE_WORDS = 6
"""Most words of a title that are searched for."""
RAREST, COMMONEST = 2, 0.2
"""A word is searched for if at least RAREST of the split's postings and at most the share COMMONEST have it."""
ORDER = ("title", "facet", "words", "near", "strange", "facet", "words", "title", "near", "strange")
"""Kinds of a posting's queries, in the order in which they are taken; with five each kind comes once."""
_PLAIN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One query, why it was chosen, and the soft label of the posting for it where someone graded it."""

    query: str
    kind: str
    soft_label: float | None = None


class SearchMaker:
    """Draws the searches of postings of one split and domain; those of one posting depend on the seed and it alone."""

    def __init__(
        self, postings: Sequence[PostingRow], words: RuleLexicon, split: Split, *, count: int, seed: int
    ) -> None:
        self._postings, self._words, self._split = postings, words, split
        self._count, self._seed = count, seed
        self._spread = Counter(word for row in postings for word in set(_own_words(row)))
        self._known: dict[str, tuple[Search, ...]] = {}

    def of(self, posting: PostingRow) -> tuple[Search, ...]:
        """The `count` searches of a posting; they are kept."""
        if posting.posting_id not in self._known:
            self._known[posting.posting_id] = tuple(self._drawn(posting))
        return self._known[posting.posting_id]

    def _drawn(self, posting: PostingRow) -> list[Search]:
        rng, found = Random(f"searches {self._seed} {posting.posting_id}"), evidence(posting, self._words)
        makers: Mapping[str, Callable[[Random, PostingRow, Evidence], str]] = {
            "title": self._title,
            "facet": self._facet,
            "words": self._own,
            "near": self._near,
            "strange": self._strange,
        }
        chosen: list[Search] = []
        while len(chosen) < self._count:
            kind = ORDER[len(chosen) % len(ORDER)]
            chosen.append(Search(query=makers[kind](rng, posting, found), kind=kind))
        return chosen

    def _title(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        """The posting's title, or its occupation in a searcher's words."""
        return self._named(rng, posting, found)

    def _facet(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        """The occupation with one or two requirements that the text states; else words of the text."""
        stated = sorted(found.stated)
        if not stated:
            return self._own(rng, posting, found)
        keys = rng.sample(stated, min(len(stated), rng.choice((1, 2))))
        return " ".join([self._named(rng, posting, found), *(self._phrase(rng, key) for key in keys)])

    def _own(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        """The occupation and one or two words of the text that most other postings lack."""
        most = COMMONEST * len(self._postings)
        title = set(search_words(posting.item.title))
        own = [
            w
            for w in _own_words(posting)
            if RAREST <= self._spread[w] <= max(RAREST, most) and w not in title
        ]
        chosen = rng.sample(own, min(len(own), rng.choice((1, 2))))
        named = [self._named(rng, posting, found)] if not chosen or rng.random() < 0.5 else []
        return " ".join([*named, *chosen])

    def _near(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        """A related occupation, or this one with a requirement that the text does not state."""
        near = sorted({other for key in found.occupations for other in self._words.occupations[key].close})
        if near and rng.random() < 0.5:
            return self._wording(rng, rng.choice(near))
        missing = sorted(set(self._words.facets) - set(found.stated))
        return f"{self._named(rng, posting, found)} {self._phrase(rng, rng.choice(missing))}"

    def _strange(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        """The title of another posting, which shares no word with this one's if one of a few drawn does not."""
        del found
        own = set(search_words(posting.item.title))
        titles = [_short(rng.choice(self._postings).item.title) for _ in range(8)]
        return next((title for title in titles if title and own.isdisjoint(search_words(title))), titles[-1])

    def _named(self, rng: Random, posting: PostingRow, found: Evidence) -> str:
        if found.occupations and rng.random() < 0.5:
            return self._wording(rng, rng.choice(found.occupations))
        return _short(posting.item.title) or "work"

    def _wording(self, rng: Random, occupation: str) -> str:
        return rng.choice(self._allowed(self._words.occupations[occupation].wordings))

    def _phrase(self, rng: Random, facet: str) -> str:
        return rng.choice(self._allowed(self._words.facets[facet].phrases))

    def _allowed(self, wordings: Sequence[str]) -> list[str]:
        """Wordings for this split: those that training never uses are kept for the test split."""
        kept = held_out(wordings) if self._split != "test" else frozenset[str]()
        return [wording for wording in wordings if wording not in kept] or list(wordings)


def _own_words(posting: PostingRow) -> list[str]:
    """The different words of a text that may be searched for, in the order in which they first stand."""
    found = dict.fromkeys(word.lower() for word in _PLAIN.findall(clean(posting.item.text)))
    return [word for word in found if len(word) > 3 and word not in EMPTY_WORDS]


def _short(title: str) -> str:
    return " ".join(clean(title).lower().split()[:TITLE_WORDS])
