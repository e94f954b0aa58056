"""Queries for an occupation and one or two words of a posting's text.

Each word is used as written or replaced by a word with a similar vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from random import Random

import numpy as np

from schemas.errors import ConfigError
from training.judging.words import EMPTY_WORDS
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES
from training.tiny.ranker.real_pool import AskedQuery, MarkedPosting, Mention
from training.tiny.vocabulary import Table

RAREST, COMMONEST = 12, 0.12
"""A word is asked for if at least RAREST postings and at most the share COMMONEST of all contain it."""
RELATIVES, NEAR = 3, 0.55
"""Most relatives of a word, and the cosine of two words' vectors above which they are relatives."""
SAME_WITH, SAME_WITHOUT = 1, 3
"""Candidates of the query's occupation with all words asked for, and with none, at most."""
ALONE, TWO, RELATIVE = 0.2, 0.4, 0.45
"""Shares of queries without an occupation, of queries with two words, of words replaced by a relative."""


class WordAsker:
    """Draws queries of an occupation and words over postings; `wording` gives the wordings of each occupation."""

    def __init__(
        self,
        rng: Random,
        encoder: Encoder,
        sources: Sequence[MarkedPosting],
        tokens: Sequence[str],
        table_VD: Table,
        wording: dict[str, tuple[str, ...]],
    ) -> None:
        """`tokens`: the vocabulary in the order of ids; `table_VD`: its vectors, by which relatives are found.

        Raise ConfigError when no posting has a word that may be asked for.
        """
        self._rng, self._encoder, self._sources, self._tokens = rng, encoder, sources, tokens
        self._wording = wording
        self._by_occupation: dict[str, list[MarkedPosting]] = {}
        for source in sources:
            self._by_occupation.setdefault(source.occupation, []).append(source)
        counts = Counter(int(i) for s in sources for i in np.unique(s.ids))
        most = COMMONEST * len(sources)
        self._words = {i for i, n in counts.items() if RAREST <= n <= most and _asked_for(tokens[i])}
        self._own = {id(s): frozenset(int(i) for i in np.unique(s.ids)) & self._words for s in sources}
        self._askable = [s for s in sources if s.occupation in wording and self._own[id(s)]]
        if not self._askable:
            raise ConfigError(
                f"no posting holds a word to ask for: one that stands in {RAREST} postings and in at most {COMMONEST:.0%}"
            )
        self._unit = table_VD / (np.linalg.norm(table_VD, axis=1, keepdims=True) + 1e-6)
        self._rows = np.array(sorted(self._words))

    def __call__(self) -> AskedQuery:
        """Draw one query about a posting, which is among the candidates."""
        rng = self._rng
        source = rng.choice(self._askable)
        own = sorted(self._own[id(source)])
        words = rng.sample(own, 2 if len(own) > 1 and rng.random() < TWO else 1)
        met = [self._relatives(word) for word in words]
        said = [
            self._tokens[rng.choice(near) if near and rng.random() < RELATIVE else word]
            for word, near in zip(words, met, strict=True)
        ]
        alone = rng.random() < ALONE
        named = "" if alone else rng.choice(self._wording[source.occupation])
        parts = [part for part in (named, *said) if part]
        if rng.random() < 0.4:
            rng.shuffle(parts)
        accepted = [frozenset((word, *near)) for word, near in zip(words, met, strict=True)]
        candidates = self._candidates(source, accepted)
        return AskedQuery(
            prefix=self._encoder.prompter.prefix_ids(rng.choice((" ", " ", ", ", " and ")).join(parts)),
            candidates=tuple(candidates),
            tags=frozenset(f"word:{n}" for n in range(len(words))),
            extra=tuple(_mentions(item, accepted) for item in candidates),
            target=lambda item, seen: SOFT_LABELS[
                _grade(alone or item.occupation == source.occupation, len(words), seen)
            ],
        )

    def _relatives(self, word: int) -> list[int]:
        likeness = self._unit[self._rows] @ self._unit[word]
        order = np.argsort(-likeness)[1 : RELATIVES + 1]
        return [int(self._rows[i]) for i in order if likeness[i] > NEAR]

    def _candidates(self, source: MarkedPosting, accepted: Sequence[frozenset[int]]) -> list[MarkedPosting]:
        rng = self._rng
        same = self._by_occupation[source.occupation]
        drawn = rng.sample(same, min(len(same), 40))
        good = [s for s in drawn if s is not source and all(a & self._own[id(s)] for a in accepted)][
            :SAME_WITH
        ]
        bad = [s for s in drawn if s is not source and not any(a & self._own[id(s)] for a in accepted)][
            :SAME_WITHOUT
        ]
        chosen = [source, *good, *bad]
        return chosen + rng.sample(self._sources, CANDIDATES - len(chosen))


def _asked_for(token: str) -> bool:
    return token.isalpha() and len(token) >= 4 and token not in EMPTY_WORDS


def _mentions(item: MarkedPosting, accepted: Sequence[frozenset[int]]) -> tuple[Mention, ...]:
    found = []
    for number, ids in enumerate(accepted):
        places = np.flatnonzero(np.isin(item.ids, list(ids)))[:6]
        found += [Mention(begin=int(p), end=int(p) + 1, tag=f"word:{number}") for p in places]
    return tuple(found)


def _grade(same: bool, asked: int, seen: Collection[str]) -> int:
    met = sum(f"word:{n}" in seen for n in range(asked))
    return 0 if not same else 4 if met == asked else 3 if met else 1
