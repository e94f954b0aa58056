"""Baselines that count words: nothing at all, no stop words, the beginning, keywords by idf, sentences by TextRank."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from typing_extensions import override

from models.prompts import MAX_CHARS
from schemas.clean import clean
from training.components.arrays import Floats
from training.judging.postings import PostingRow
from training.judging.words import EMPTY_WORDS
from training.rl.baselines.base import Shortener

Count = Callable[[Sequence[str]], list[int]]
"""Gives the length of each text in the ranker's tokens."""

_WORD = re.compile(r"\w[\w+#./'’-]*")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\s+[•*|]\s+|\s+-\s+")
DAMPING, ROUNDS = 0.85, 50
"""TextRank's damping factor, and rounds of its iteration (Mihalcea and Tarau, 2004)."""


class NoDescription(Shortener):
    """Takes the whole text away."""

    name = "none"

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Give empty texts, whatever share is asked for."""
        del share
        return ["" for _ in postings]


class WithoutStopWords(Shortener):
    """Takes English function words away; the share follows from the text."""

    name = "stop-words"

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Keep everything else as it stands."""
        del share
        return [
            " ".join(word for word in text_of(row).split() if word.lower().strip(".,;:!?") not in EMPTY_WORDS)
            for row in postings
        ]


class Lead(Shortener):
    """Takes the beginning of a text, cut at a word."""

    name = "lead"

    def __init__(self, count: Count) -> None:
        self._count = count

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Take as many first words as the share's tokens have room for."""
        return [filled(text_of(row).split(), self._count, share, text_of(row)) for row in postings]


class Keywords(Shortener):
    """Takes the words with the highest frequency times inverse document frequency, in the order of the text."""

    name = "idf"

    def __init__(self, count: Count, corpus: Sequence[PostingRow]) -> None:
        """Document frequencies are those of `corpus`."""
        self._count, self._texts = count, max(1, len(corpus))
        self._spread = Counter(word for row in corpus for word in set(_words(text_of(row))))

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Take the best words until the share is full; each once."""
        return [self._shortened(text_of(row), share) for row in postings]

    def _shortened(self, text: str, share: float) -> str:
        found = _words(text)
        counts = Counter(word for word in found if word not in EMPTY_WORDS and len(word) > 2)
        order = list(dict.fromkeys(found))
        best = sorted(counts, key=lambda word: (-counts[word] * self._idf(word), order.index(word)))
        kept = set(taken(best, self._count, share, text))
        return " ".join(word for word in order if word in kept)

    def _idf(self, word: str) -> float:
        return math.log((1 + self._texts) / (1 + self._spread[word]))


class TextRank(Shortener):
    """Takes the sentences that the PageRank of their common words puts first (Mihalcea and Tarau, 2004)."""

    name = "textrank"

    def __init__(self, count: Count) -> None:
        self._count = count

    @override
    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """Take the best sentences in the order of the text; the last one is cut to the share."""
        return [self._shortened(text_of(row), share) for row in postings]

    def _shortened(self, text: str, share: float) -> str:
        sentences = [part for part in _SENTENCE.split(text) if part.strip()]
        ranks_N = pagerank(likeness(sentences))
        words = [word for at in np.argsort(-ranks_N, kind="stable") for word in sentences[at].split()]
        return filled(words, self._count, share, text)


def text_of(posting: PostingRow) -> str:
    """A posting's text as the ranker reads it."""
    return clean(posting.item.text, MAX_CHARS)


def filled(words: Sequence[str], count: Count, share: float, text: str) -> str:
    """The first words whose tokens fit into the share of a text's tokens."""
    return " ".join(taken(words, count, share, text))


def taken(words: Sequence[str], count: Count, share: float, text: str) -> list[str]:
    """The first words, at least one, whose tokens fit into the share of a text's tokens."""
    if not words:
        return []
    room = share * count([text])[0]
    few = words[: int(room) + 1]  # a word has at least one token
    ends_N = np.cumsum(count(few))
    return list(few[: max(1, int(np.searchsorted(ends_N, room, "right")))])


def likeness(sentences: Sequence[str]) -> Floats:
    """[N, N] shared words of two sentences over the sum of the logarithms of their lengths."""
    sets = [frozenset(_words(sentence)) - EMPTY_WORDS for sentence in sentences]
    found_NN = np.zeros((len(sets), len(sets)))
    for a, one in enumerate(sets):
        for b in range(a):
            size = math.log(max(1, len(one))) + math.log(max(1, len(sets[b])))
            found_NN[a, b] = found_NN[b, a] = len(one & sets[b]) / size if size > 0 else 0.0
    return found_NN


def pagerank(weights_NN: Floats) -> Floats:
    """[N] PageRank of a weighted graph; a node without edges is left towards all nodes alike."""
    count = len(weights_NN)
    sums_N1 = weights_NN.sum(axis=1, keepdims=True)
    steps_NN = np.where(sums_N1 > 0, weights_NN / np.where(sums_N1 > 0, sums_N1, 1.0), 1 / max(1, count))
    ranks_N = np.full(count, 1 / max(1, count))
    for _ in range(ROUNDS):
        ranks_N = (1 - DAMPING) / max(1, count) + DAMPING * ranks_N @ steps_NN
    return ranks_N


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
