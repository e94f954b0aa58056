"""The tokenizer and first embeddings of the tiny summarizer: words of generated postings, lexicon and prompts."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from tokenizers import Tokenizer

from models.prompts import SUFFIX, SUMMARIZER_PROMPT, SUMMARIZER_SUFFIX, SYSTEM
from training.evaluation.baselines import minilm
from training.synthetic import lexicon
from training.synthetic.postings import Writer
from training.tiny import checkpoint, vocabulary
from training.tiny.vocabulary import Table


def first_table(rng: Random, words: lexicon.Lexicon, texts: int, size: int) -> tuple[Tokenizer, Table]:
    """A tokenizer over generated text, and its tokens' [V, 256] vectors, strongest directions first."""
    writer = Writer(words)
    postings = [writer.write(rng) for _ in range(texts)]
    asked = [phrase for facet in words.facets for phrase in facet.queries]
    asked += [
        f"{' '.join(o.titles)} {' '.join(f'{s.name} {s.asked}' for s in o.skills)}" for o in words.occupations
    ]
    asked += [
        SYSTEM,
        SUFFIX,
        SUMMARIZER_PROMPT,
        SUMMARIZER_SUFFIX,
        "Title: Company: Location: Type: Remote: Text:",
    ]
    # Words of the lexicon that the encoder spells in pieces get tokens of their own.
    common = Counter(
        w
        for text in (*asked, *(p.description for p in postings))
        for w in re.findall("[a-z]{3,}", text.lower())
    )
    whole = [word for word, count in common.items() if count >= 2] + list(lexicon.terms())
    encoder = minilm.encoder_dir()
    made = vocabulary.build([p.title + "\n" + p.description for p in postings] + asked, whole, encoder, size)
    return made.tokenizer, vocabulary.embeddings(encoder, made.spelled, checkpoint.HIDDEN)
