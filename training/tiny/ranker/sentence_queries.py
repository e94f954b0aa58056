"""Queries in free wordings over real postings, graded by MiniLM's vectors: the second teacher, read in training alone.

The rules know the wordings of their lexicon. Here an occupation is worded by a title of O*NET or ESCO, and what it
has to offer by an excerpt of a text, of a text near to it, or by a skill of ESCO. MiniLM compares the parts of a query
one by one, title with title and requirement with clause, which tells more than the cosine of a whole query and text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from training.components.arrays import Singles
from training.judging.words import EMPTY_WORDS
from training.rules.wordings import negates
from training.tiny.encoding import Encoder
from training.tiny.ranker import likeness
from training.tiny.ranker.clause_index import ClauseIndex, Wording, WordingBank
from training.tiny.ranker.examples import CANDIDATES
from training.tiny.ranker.excerpts import excerpt, plain_title
from training.tiny.ranker.real_pool import AskedQuery, MarkedPosting, Mention

Encode = Callable[[Sequence[str]], Singles]
LEVELS = 10
"""Steps of the probability that a clause states a requirement: a tag `said:0:7` is seven tenths of the first."""
COUNTS = (0.25, 0.45, 0.30)
"""Shares of queries with no, one and two requirements."""
ALONE = 0.15
"""Share of the queries with requirements that name no occupation."""
TITLES, OWN = 0.65, 0.2
"""Shares of occupations worded by a near title of the bank and by the posting's own; the others by the rules' words."""
SKILL, NEIGHBOUR = 0.4, 0.25
"""Shares of requirements worded by a skill of the bank and by an excerpt of a near clause; the others by an excerpt."""
RULES = 0.5
"""Weight of the rules' grade of the occupation, where both titles name one that they know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeWordings:
    """Where words of queries come from: banks, and the rules' training wordings by occupation.

    `barred`: wordings, in lower case, that only the test split may use.
    """

    titles: WordingBank
    skills: WordingBank
    rules: dict[str, tuple[str, ...]]
    barred: frozenset[str]
    occupation_label: Callable[[str, MarkedPosting], float | None]
    """The rules' soft label of a posting for an occupation's key; None where they cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Need:
    """A requirement's words, and the probability that each distinct clause, title and posting states it."""

    text: str
    clauses: Singles
    titles: Singles
    postings: Singles


class SentenceAsker:
    """Draws queries about a posting, with candidates that are near in title, in requirements, in both or in neither."""

    def __init__(
        self, rng: Random, encoder: Encoder, index: ClauseIndex, words: FreeWordings, encode: Encode
    ) -> None:
        """`encode`: MiniLM, for the wordings that are cut out of texts."""
        self._rng, self._encoder, self._index, self._words, self._encode = rng, encoder, index, words, encode
        self._affirms: Singles = np.array([not negates(text) for text in index.texts], dtype=np.float32)
        self._by_rules: dict[str, Singles] = {}
        self._row = {id(posting): row for row, posting in enumerate(index.postings)}

    def __call__(self) -> AskedQuery:
        """Draw one query about a posting, which is among the candidates."""
        rng = self._rng
        source = rng.randrange(len(self._index.postings))
        texts = [self._need_words(source) for _ in range(rng.choices((0, 1, 2), COUNTS)[0])]
        needs = [self._need(words) for words in texts if words]
        named = None if needs and rng.random() < ALONE else self._occupation(source)
        occupation_N = self._occupation_labels(source, named)
        chosen = self._candidates(source, occupation_N, needs)
        return AskedQuery(
            prefix=self._encoder.prompter.prefix_ids(self._text(named, needs)),
            candidates=tuple(self._index.postings[row] for row in chosen),
            tags=frozenset(f"said:{n}:{level}" for n in range(len(needs)) for level in range(LEVELS + 1)),
            extra=tuple(self._mentions(row, needs) for row in chosen),
            target=lambda item, seen: self._label(occupation_N, needs, self._row[id(item)], seen),
        )

    def _label(self, occupation_N: Singles, needs: Sequence[_Need], row: int, seen: Collection[str]) -> float:
        titles = [float(need.titles[row]) for need in needs]
        return likeness.label(float(occupation_N[row]), _met(titles, seen))

    def _text(self, named: Wording | None, needs: Sequence[_Need]) -> str:
        rng = self._rng
        parts = ([named.text] if named else []) + [need.text for need in needs]
        if rng.random() < 0.3:
            rng.shuffle(parts)
        text = rng.choice((" ", " ", ", ", ", ", " with ", " and ", " - ")).join(parts)
        return text.lower() if rng.random() < 0.6 else text

    def _occupation(self, source: int) -> Wording:
        rng, posting = self._rng, self._index.postings[source]
        roll, vector = rng.random(), self._index.title_vector(source)
        if roll < TITLES:
            near = [
                w for w in self._words.titles.near(vector, 8, 0.6) if w.text.lower() not in self._words.barred
            ]
            if near:
                return rng.choice(near)
        known = self._words.rules.get(posting.occupation, ())
        text = rng.choice(known) if known and roll >= TITLES + OWN else plain_title(posting.title)
        return self._wording(text or posting.title)

    def _occupation_labels(self, source: int, named: Wording | None) -> Singles:
        """Soft labels [postings] of the occupation; all ones for a query that names none."""
        index = self._index
        if named is None:
            return np.full(len(index.postings), likeness.ALL, dtype=np.float32)
        labels = likeness.title_labels(index.title_cosines(named.vector))
        known = self._known_labels(index.postings[source].occupation)
        labels = np.where(np.isnan(known), labels, RULES * known + (1 - RULES) * labels)
        labels[source] = max(labels[source], 0.9)
        return labels

    def _known_labels(self, occupation: str) -> Singles:
        """The rules' soft labels [postings] for an occupation; NaN where they cannot tell."""
        if occupation not in self._by_rules:
            told = [self._words.occupation_label(occupation, one) for one in self._index.postings]
            labels = [np.nan if label is None else label for label in told]
            self._by_rules[occupation] = np.array(labels, dtype=np.float32)
        return self._by_rules[occupation]

    def _need_words(self, source: int) -> Wording | None:
        """Words of what a clause of the posting says, clauses of few postings first; None where no words are left."""
        rng, index = self._rng, self._index
        rows = index.clauses_of(source).tolist()
        row = rng.choices(rows, [index.frequency[r] ** -0.5 for r in rows])[0]
        roll, vector = rng.random(), index.vectors[row]
        if negates(index.texts[row]):
            return None
        if roll < SKILL:
            near = [
                w
                for w in self._words.skills.near(vector, 5, 0.45)
                if w.text.lower() not in self._words.barred
            ]
            if near:
                return rng.choice(near)
        if roll < SKILL + NEIGHBOUR:
            cosines = index.clause_cosines(vector)
            near_rows = np.argsort(-cosines)[1:12]
            row = int(rng.choice([r for r in near_rows if cosines[r] > 0.55] or [row]))
        text = excerpt(rng, index.texts[row])
        return self._wording(text) if text and text.lower() not in self._words.barred else None

    def _wording(self, text: str) -> Wording:
        return Wording(text=text, vector=self._encode([text])[0])

    def _need(self, words: Wording) -> _Need:
        clauses = likeness.stated(self._index.clause_cosines(words.vector)) * self._affirms
        titles = likeness.stated(self._index.title_cosines(words.vector))
        highest = np.maximum(self._index.highest(clauses), titles)
        return _Need(text=words.text, clauses=clauses, titles=titles, postings=highest)

    def _candidates(self, source: int, occupation_N: Singles, needs: Sequence[_Need]) -> list[int]:
        rng, count = self._rng, len(occupation_N)
        met_N = np.mean([need.postings for need in needs], axis=0) if needs else np.ones(count)
        noise_N = np.random.default_rng(rng.randrange(1 << 32)).random(count) * 0.15
        orders = (
            occupation_N * met_N,
            occupation_N * (1 - met_N) if needs else (occupation_N > 0.1) * (occupation_N < 0.7),
            (1 - occupation_N) * met_N if needs else (occupation_N > 0.05) * (occupation_N < 0.5),
        )
        chosen = dict.fromkeys([source])
        for values_N, most in zip(orders, (2, 2, 2), strict=True):
            best = np.argpartition(-(values_N + noise_N), 3 * most)[: 3 * most].tolist()
            chosen |= dict.fromkeys(rng.sample(best, most))
        while len(chosen) < CANDIDATES:
            chosen[rng.randrange(count)] = None
        return list(chosen)

    def _mentions(self, row: int, needs: Sequence[_Need]) -> tuple[Mention, ...]:
        """Where the clauses stand that state a requirement with a probability of two tenths or more."""
        posting, numbers = self._index.postings[row], self._index.clauses_of(row)
        found = []
        for n, need in enumerate(needs):
            said = need.clauses[numbers]
            for (begin, end, start, stop), value in zip(posting.clauses.tolist(), said, strict=True):
                clause = posting.text[start:stop]
                literal = _holds(clause, need.text) and not negates(clause)
                level = LEVELS if literal else round(LEVELS * float(value))
                if level > 1:
                    found.append(Mention(begin=begin, end=end, tag=f"said:{n}:{level}"))
        return tuple(found)


def _met(titles: Sequence[float], seen: Collection[str]) -> list[float]:
    """For each requirement the probability that the title states it, or a clause that was read so far."""
    best = list(titles)
    for tag in seen:
        kind, _, rest = tag.partition(":")
        if kind == "said":
            number, level = map(int, rest.split(":"))
            best[number] = max(best[number], level / LEVELS)
    return best


def _holds(clause: str, words: str) -> bool:
    """Whether a clause has all the words that are not empty."""
    said = {word for word in words.lower().split() if word not in EMPTY_WORDS}
    return bool(said) and said <= set(clause.lower().replace(",", " ").replace(".", " ").split())
