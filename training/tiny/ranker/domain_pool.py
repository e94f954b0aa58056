"""The pool over the training postings of one domain, with all its kinds of queries."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tokenizers import Tokenizer

from training.rules.corpus import Corpus
from training.rules.judge import PreparedDomain
from training.rules.lexicon.entries import RuleLexicon
from training.rules.teacher import occupation_grade
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.clause_index import ClauseIndex, WordingBank
from training.tiny.ranker.facet_queries import FacetAsker, stated_spans
from training.tiny.ranker.marked_postings import marked_postings
from training.tiny.ranker.mix_config import MixConfig
from training.tiny.ranker.real_pool import AskedQuery, MarkedPosting, RealPool
from training.tiny.ranker.sentence_queries import FreeWordings, SentenceAsker
from training.tiny.ranker.text_vectors import TextVectors
from training.tiny.ranker.word_queries import WordAsker
from training.tiny.vocabulary import Table

Banks = tuple[WordingBank, WordingBank]
Asker = Callable[[], AskedQuery]


class DomainPool:
    """Makes the pool of a domain for one tokenizer, its vectors and the settings of the mix."""

    def __init__(
        self, rng: Random, encoder: Encoder, tokenizer: Tokenizer, table_VD: Table, config: MixConfig
    ) -> None:
        self._rng, self._encoder, self._tokenizer = rng, encoder, tokenizer
        self._table, self._config = table_VD, config

    def pool(self, domain: PreparedDomain, banks: Banks | None, vectors: TextVectors | None) -> RealPool:
        """Facet queries and word queries and, with banks of wordings, queries graded by MiniLM's vectors."""
        words, corpus, config = domain.words, domain.corpus("train"), self._config
        marks = [stated_spans(p, f, words) for p, f in zip(corpus.postings, corpus.found, strict=True)]
        items = [p.item for p in corpus.postings]
        read = marked_postings(self._encoder, self._tokenizer, items, marks)
        wordings = words.training_wordings()
        tokens = [token for token, _ in sorted(self._tokenizer.get_vocab().items(), key=lambda item: item[1])]
        askers: list[tuple[float, Asker]] = [
            (config.facets, FacetAsker(self._rng, self._encoder, corpus, read, config.negated)),
            (config.words, WordAsker(self._rng, self._encoder, read, tokens, self._table, wordings)),
        ]
        if banks and vectors:
            askers.append((config.sentences, self._free(corpus, read, banks, vectors)))
        return RealPool(self._rng, self._encoder, askers, config.views)

    def _free(
        self, corpus: Corpus, read: list[MarkedPosting], banks: Banks, vectors: TextVectors
    ) -> SentenceAsker:
        words = corpus.words
        found = {id(one): evidence for one, evidence in zip(read, corpus.found, strict=True)}

        def label(occupation: str, posting: MarkedPosting) -> float | None:
            if occupation not in words.occupations:
                return None
            grade = occupation_grade(occupation, found[id(posting)], words)
            return None if grade is None else SOFT_LABELS[grade]

        free = FreeWordings(
            titles=banks[0],
            skills=banks[1],
            rules=words.training_wordings(),
            barred=barred(words),
            occupation_label=label,
        )
        index = ClauseIndex(words.domain, read, vectors, self._config.clauses)
        return SentenceAsker(self._rng, self._encoder, index, free, vectors.encode)


def barred(words: RuleLexicon) -> frozenset[str]:
    """All wordings, in lower case, that only the test split may use."""
    every = [w for o in words.occupations.values() for w in o.wordings]
    every += [w for f in words.facets.values() for w in f.phrases]
    allowed = [
        w
        for kept in (words.training_wordings(), words.training_phrases())
        for ws in kept.values()
        for w in ws
    ]
    return frozenset(w.lower() for w in every) - {w.lower() for w in allowed}
