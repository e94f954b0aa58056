"""The vocabulary and first embeddings of the tiny ranker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from tokenizers import Tokenizer

from models.prompts import SUFFIX, SYSTEM
from training.evaluation.baselines import minilm
from training.rules.lexicon.entries import RuleLexicon
from training.synthetic import lexicon
from training.synthetic.postings import Writer
from training.tiny import checkpoint, vocabulary
from training.tiny.vocabulary import Table

RANKER_VOCABULARY = 11_000
FIELDS = (
    "Title: Company: Location: Type: Remote: Text: ; , . "
    "full-time part-time contract temporary permanent remote hybrid onsite"
)
"""Words of the prompt's metadata."""


def ranker_table(
    rng: Random,
    texts: Iterable[str],
    domains: Sequence[RuleLexicon],
    generated: int,
    size: int = RANKER_VOCABULARY,
) -> tuple[Tokenizer, Table]:
    """The ranker's tokenizer and its [V, 256] vectors.

    The vocabulary is that of `texts` and of `generated` postings, with every word of the training queries and the
    prompt.
    """
    writer = Writer(lexicon.load("train"))
    postings = [writer.write(rng) for _ in range(generated)]
    spoken = [f"{p.title} {p.description}" for p in postings]
    asked = [phrase for words in domains for phrase in _training_phrases(words)]
    encoder = minilm.encoder_dir()
    made = vocabulary.from_counts([*texts, *spoken], [SYSTEM, SUFFIX, FIELDS, *asked], encoder, size)
    return made.tokenizer, vocabulary.embeddings(encoder, made.spelled, checkpoint.HIDDEN)


def _training_phrases(words: RuleLexicon) -> list[str]:
    said = [*words.training_phrases().values(), *words.training_wordings().values()]
    return [phrase for phrases in said for phrase in phrases]
