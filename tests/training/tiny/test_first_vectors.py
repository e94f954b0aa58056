"""Vocabularies and first vectors of the tiny models: which words are tokens, and what their vectors are like."""

import re
from random import Random

import pytest

from models.prompts import SYSTEM
from training.rules.lexicon.entries import lexicon as rule_lexicon
from training.tiny import checkpoint
from training.tiny.ranker.first_vectors import FIELDS, ranker_table
from training.tiny.vocabulary import EMBEDDING_STD, SPECIAL

LENGTH = EMBEDDING_STD * checkpoint.HIDDEN**0.5


def words_of(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


@pytest.mark.timeout(120)
def test_each_word_of_the_rankers_prompt_and_training_queries_is_a_token_in_a_small_vocabulary() -> None:
    health = rule_lexicon("health")
    tokenizer, table = ranker_table(Random(0), ["qqzz qqzz qqzz"], [health], generated=20, size=2000)
    known = tokenizer.get_vocab()
    phrases = [p for said in health.training_phrases().values() for p in said]
    wanted = words_of(f"{SYSTEM} {FIELDS} {' '.join(phrases)}")
    assert len(wanted) > 200
    assert [word for word in wanted if word not in known] == []
    assert len(known) == len(table) == 2000
    assert [tokenizer.id_to_token(i) for i in range(3)] == list(SPECIAL)
