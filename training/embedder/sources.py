"""The postings of one domain that the embedder learns from: what it reads of each, and what the teachers know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from models.prompts import Item, embedder_input
from training.components.arrays import Ints, Singles
from training.components.summaries import Summaries
from training.rules.corpus import Corpus
from training.rules.judge import PreparedDomain
from training.tiny.ranker.excerpts import plain_title
from training.tiny.ranker.text_vectors import TextVectors

FIRST_WORDS = 40
SEPARATOR = "; "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DomainSource:
    """Training postings of a domain, [N] of them, as a corpus of their own, with MiniLM's vectors [., 384].

    Phrases are the parts of the summaries; `phrase_rows` [phrases] says whose each is, `starts` [N + 1] where a
    posting's begin. A posting without a summary has its title as its only phrase.
    """

    corpus: Corpus
    items: tuple[Item, ...]
    """With the summary as text."""
    titles: Singles
    phrases: tuple[str, ...]
    phrase_vectors: Singles
    starts: Ints

    def vectors(self, postings: Sequence[int]) -> Singles:
        """MiniLM's vectors of postings: half the title's, half the mean of the phrases'.

        So a part of a posting is as near to it as its share allows, which a vector of the whole text does not promise.
        """
        means = [self.phrase_vectors[self.starts[row] : self.starts[row + 1]].mean(0) for row in postings]
        both: Singles = self.titles[list(postings)] + np.stack(means)
        return both

    def highest(self, phrase_values: Singles) -> Singles:
        """For each posting [N] the highest value of its phrases."""
        highest: Singles = np.maximum.reduceat(phrase_values, self.starts[:-1])
        return highest

    def phrases_of(self, posting: int) -> Sequence[int]:
        """The numbers of a posting's phrases."""
        return range(int(self.starts[posting]), int(self.starts[posting + 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Teachers:
    """Where summaries and MiniLM's vectors come from."""

    summaries: Summaries
    vectors: TextVectors


def source_of(domain: PreparedDomain, most: int, teachers: Teachers) -> DomainSource:
    """Draw at most `most` training postings, the same in each run, and ask the teachers about them."""
    words, train = domain.words, list(domain.splits.postings["train"])
    Random(f"embedder {words.domain}").shuffle(train)
    chosen = train[:most]
    corpus = Corpus.of("train", words, chosen, domain.known)
    summaries = teachers.summaries.of(words.domain, [posting.item for posting in chosen])
    items = tuple(replace(p.item, text=text) for p, text in zip(chosen, summaries, strict=True))
    titles = [plain_title(item.title) or item.title for item in items]
    parts = [_phrases(item) for item in items]
    phrases = tuple(phrase for each in parts for phrase in each)
    return DomainSource(
        corpus=corpus,
        items=items,
        titles=teachers.vectors.of(f"{words.domain}, titles", titles),
        phrases=phrases,
        phrase_vectors=teachers.vectors.of(f"{words.domain}, phrases", phrases),
        starts=np.cumsum([0, *map(len, parts)]).astype(np.int64),
    )


def _phrases(item: Item) -> list[str]:
    return [part for part in item.text.split(SEPARATOR) if part.strip()] or [item.title or "?"]


def view(rng: Random, source: DomainSource, posting: int) -> tuple[str, bool]:
    """What the embedder reads of a posting this time, and whether it is what MiniLM read.

    Most often title, metadata and summary; sometimes the text's first words or no text at all, as production has it
    where the summarizer is another or gave nothing. The company is left out half of the time.
    """
    item, roll = source.items[posting], rng.random()
    if rng.random() < 0.5:
        item = replace(item, company=None)
    if roll < 0.1:
        return embedder_input(replace(item, text="")), False
    if roll < 0.25:
        text = source.corpus.postings[posting].item.text
        return embedder_input(replace(item, text=" ".join(text.split()[:FIRST_WORDS]))), False
    return embedder_input(item), True
