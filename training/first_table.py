"""The vocabularies that the tiny models start from: words of postings, of the lexicons and of the prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from tokenizers import Tokenizer

from models.prompts import SUFFIX, SUMMARIZER_PROMPT, SUMMARIZER_SUFFIX, SYSTEM
from training import checkpoint, vocabulary
from training.rules.lexicon import Lexicon, held_out
from training.synthetic import lexicon
from training.synthetic.postings import Writer
from training.vocabulary import Table


def first_table(rng: Random, words: lexicon.Lexicon, texts: int, size: int) -> tuple[Tokenizer, Table]:
    """A tokenizer over generated text and its tokens' [V, 256] vectors, strongest directions first."""
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
    encoder = vocabulary.encoder_dir()
    made = vocabulary.build([p.title + "\n" + p.description for p in postings] + asked, whole, encoder, size)
    return made.tokenizer, vocabulary.embeddings(encoder, made.spelled, checkpoint.HIDDEN)


RANKER_VOCABULARY = 11_000
FIELDS = "Title: Company: Location: Type: Remote: Text: ; , . full-time part-time contract temporary permanent remote hybrid onsite"


def ranker_table(
    rng: Random, texts: Iterable[str], domains: Sequence[Lexicon], generated: int
) -> tuple[Tokenizer, Table]:
    """The ranker's tokenizer over real texts and generated ones, with every word that training's queries use."""
    writer = Writer(lexicon.load("train"))
    postings = [writer.write(rng) for _ in range(generated)]
    spoken = [f"{p.title} {p.description}" for p in postings]
    asked = [phrase for words in domains for phrase in _training_phrases(words)]
    encoder = vocabulary.encoder_dir()
    made = vocabulary.from_counts(
        [*texts, *spoken], [SYSTEM, SUFFIX, FIELDS, *asked], encoder, RANKER_VOCABULARY
    )
    return made.tokenizer, vocabulary.embeddings(encoder, made.spelled, checkpoint.HIDDEN)


def _training_phrases(words: Lexicon) -> list[str]:
    said = [f.phrases for f in words.facets.values()] + [o.wordings for o in words.occupations.values()]
    return [phrase for phrases in said for phrase in phrases if phrase not in held_out(phrases)]
