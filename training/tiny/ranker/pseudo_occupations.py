"""Occupations that do not exist, made of random words, so that the ranker learns matching and not a list of trades.

A first title is two random words of the vocabulary; the other titles replace a word by one with a near vector. Skills
are random words or made-up names.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import numpy.typing as npt

from training.synthetic.lexicon import Occupation, Skill
from training.synthetic.postings import pick

SYLLABLES = (
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "hy",
    "ka",
    "le",
    "mi",
    "no",
    "pu",
    "ra",
    "se",
    "ti",
    "vo",
    "wu",
    "xa",
    "zen",
    "lo",
    "ter",
    "flex",
    "qua",
    "bri",
    "sto",
    "net",
    "dex",
    "mon",
    "py",
    "ja",
)
RELATIVES = 4
"""Words with the nearest vectors that may replace a word."""


class PseudoLexicon:
    """Invents occupations from words and their vectors."""

    def __init__(self, words: list[str], vectors_VD: npt.NDArray[np.float32]) -> None:
        """`words` are whole words; row i of `vectors_VD` is the vector of words[i]."""
        self._words = words
        self._rows = {word: i for i, word in enumerate(words)}
        unit = vectors_VD / (np.linalg.norm(vectors_VD, axis=1, keepdims=True) + 1e-6)
        self._relatives = np.concatenate(
            [_nearest(unit, rows) for rows in np.array_split(np.arange(len(words)), 16)]
        )

    def occupation(self, rng: Random, like: Occupation, number: int) -> Occupation:
        """An invented occupation with titles and skills of its own, and the duties and places of `like`."""
        head, other = pick(rng, self._words), pick(rng, self._words)
        group = f"pseudo {head}"
        titles = [
            f"{other} {head}",
            f"{self._relative(rng, other)} {head}",
            f"{other} {self._relative(rng, head)}",
        ]
        titles += [f"{head} {other}", f"{self._relative(rng, other)} {self._relative(rng, head)}"]
        skills = tuple(self._skill(rng) for _ in range(5))
        return replace(
            like, key=f"pseudo{number}", group=group, titles=tuple(t.title() for t in titles), skills=skills
        )

    def _relative(self, rng: Random, word: str) -> str:
        return self._words[int(pick(rng, self._relatives[self._rows[word]]))]

    def _skill(self, rng: Random) -> Skill:
        roll = rng.random()
        if roll < 0.3:
            name = "".join(pick(rng, SYLLABLES) for _ in range(2 + int(rng.random() * 3))).title()
            return Skill(name=name, asked=name.lower())
        word = pick(rng, self._words)
        if roll < 0.65:
            return Skill(name=word, asked=self._relative(rng, word))
        more = pick(rng, self._words)
        return Skill(name=f"{word} {more}", asked=f"{self._relative(rng, word)} {more}")


def _nearest(unit_VD: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    near = unit_VD[rows] @ unit_VD.T
    near[np.arange(len(rows)), rows] = -1
    best: npt.NDArray[np.int64] = np.argpartition(-near, RELATIVES, axis=1)[:, :RELATIVES]
    return best
