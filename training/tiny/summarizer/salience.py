"""Salience of tokens: how much a token says about a job, so that summaries keep the most salient ones.

A token's salience is how much more often the lexicon's titles, skills and facets use it than the lexicon's general
prose does. For tokens that neither uses, a ridge regression on token vectors predicts it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from tokenizers import Tokenizer

from training.components.arrays import Floats
from training.judging.words import EMPTY_WORDS
from training.synthetic.lexicon import Lexicon
from training.tiny.vocabulary import Table

RIDGE = 3.0
OWN_WEIGHT = 0.6
"""Weight of a token's own counts, where it has any; the rest is the weight of its vector's prediction."""
ASKED_KINDS = (
    "want",
    "about",
    "intro",
    "duties_generic",
    "benefit_generic",
    "eeo",
    "apply",
    "team",
    "duty_lead",
)


def salience(tokenizer: Tokenizer, vectors_VE: Table, lexicon: Lexicon) -> Floats:
    """[V] salience: -10 for stop words, digits and punctuation, 10 for word pieces, else the log ratio of uses."""
    kept, said = _counts(tokenizer, _subject(lexicon)), _counts(tokenizer, _prose(lexicon))
    size = tokenizer.get_vocab_size()
    up = np.array([kept[i] for i in range(size)], dtype=float)
    down = np.array([said[i] for i in range(size)], dtype=float)
    own = np.log((up / up.sum() * 1e4 + 0.5) / (down / down.sum() * 1e4 + 0.5))
    seen = up + down > 0
    unit = vectors_VE / (np.linalg.norm(vectors_VE, axis=1, keepdims=True) + 1e-6)
    x = np.concatenate([unit, np.ones((size, 1))], axis=1)
    weights = np.linalg.solve(x[seen].T @ x[seen] + RIDGE * np.eye(x.shape[1]), x[seen].T @ own[seen])
    predicted = x @ weights
    score: Floats = np.where(seen, OWN_WEIGHT * own + (1 - OWN_WEIGHT) * predicted, predicted)
    for token, i in tokenizer.get_vocab().items():
        word = token.removeprefix("##")
        if word in EMPTY_WORDS or not word.isalpha() or (len(word) < 2 and not token.startswith("##")):
            score[i] = -10.0
        elif token.startswith("##"):
            score[i] = 10.0
    return score


def _subject(lexicon: Lexicon) -> list[str]:
    texts = [phrase.span for facet in lexicon.facets for phrase in facet.texts]
    texts += [query for facet in lexicon.facets for query in facet.queries]
    for occupation in lexicon.occupations:
        texts += [
            *occupation.titles,
            *(s.name for s in occupation.skills),
            *(s.asked for s in occupation.skills),
        ]
    return texts


def _prose(lexicon: Lexicon) -> list[str]:
    lines = [line for kind, lines in lexicon.prose.items() if kind in ASKED_KINDS for line in lines]
    return lines * 4


def _counts(tokenizer: Tokenizer, texts: list[str]) -> Counter[int]:
    return Counter(i for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False) for i in e.ids)
