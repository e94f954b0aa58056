"""Occupations that do not exist: made of the vocabulary's words and their nearest neighbours, and of nothing else."""

import re
from random import Random

import numpy as np
import pytest

from training.synthetic.lexicon import load
from training.tiny.ranker.pseudo_occupations import RELATIVES, SYLLABLES, PseudoLexicon

WORDS = [f"word{a}{b}" for a in "abcdefgh" for b in "ijklmnop"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 12)).astype(np.float32)
LIKE = load("train").occupations[0]


@pytest.fixture(scope="module")
def nearest() -> dict[str, set[str]]:
    """Each word with itself and its nearest by cosine, computed without the product's code."""
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit.T), axis=1)[:, : RELATIVES + 1]
    return {word: {WORDS[i] for i in row} for word, row in zip(WORDS, order, strict=True)}


def test_other_titles_are_the_first_one_with_words_replaced_by_near_ones(
    nearest: dict[str, set[str]],
) -> None:
    lexicon, rng = PseudoLexicon(WORDS, VECTORS), Random(0)
    for number in range(50):
        made = lexicon.occupation(rng, LIKE, number)
        other, head = made.titles[0].lower().split()
        for title in made.titles:
            left, right = title.lower().split()
            straight = left in nearest[other] and right in nearest[head]
            assert straight or (left, right) == (head, other)
        assert len({title.lower() for title in made.titles}) > 1
        assert made.group == f"pseudo {head}"


def test_skills_are_words_asked_for_by_near_ones_or_made_up_names(nearest: dict[str, set[str]]) -> None:
    lexicon, rng = PseudoLexicon(WORDS, VECTORS), Random(1)
    made_up = 0
    for number in range(50):
        for skill in lexicon.occupation(rng, LIKE, number).skills:
            named, asked = skill.name.split(), skill.asked.split()
            if named[0] in nearest:
                assert asked[0] in nearest[named[0]] - {named[0]}
                assert named[1:] == asked[1:]
            else:
                assert skill.asked == skill.name.lower()
                assert re.fullmatch(f"({'|'.join(SYLLABLES)})+", skill.asked)
                made_up += 1
    assert 0.2 < made_up / 250 < 0.4


def test_a_pseudo_occupation_has_the_duties_of_the_one_it_is_like_and_follows_from_the_draws() -> None:
    lexicon = PseudoLexicon(WORDS, VECTORS)
    made = lexicon.occupation(Random(3), LIKE, 7)
    assert (made.key, made.duties, made.places) == ("pseudo7", LIKE.duties, LIKE.places)
    assert lexicon.occupation(Random(3), LIKE, 7) == made
    assert lexicon.occupation(Random(4), LIKE, 7) != made
