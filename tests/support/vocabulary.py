"""A small tokenizer of generated text with random vectors: enough to build the tiny models in a test."""

import re
from collections import Counter
from random import Random

import numpy as np
from tokenizers import Tokenizer

from training.synthetic.lexicon import load
from training.synthetic.postings import Writer
from training.tiny import vocabulary
from training.tiny.vocabulary import Table

PROMPT = (
    "does the posting match search answer yes or no title company location type remote text summary : . ; ?"
)


def small_vocabulary() -> tuple[Tokenizer, Table]:
    """The tokenizer and [V, 256] random vectors."""
    writer, rng = Writer(load("train")), Random(0)
    text = " ".join(writer.write(rng).description for _ in range(200)).lower()
    words = [word for word, _ in Counter(re.findall("[a-z]+", text)).most_common(900)]
    tokens = list(dict.fromkeys([*vocabulary.SPECIAL, *PROMPT.split(), "sum", *words]))
    vectors = np.random.default_rng(0).normal(size=(len(tokens), 256)).astype("float32")
    return vocabulary.tokenizer(tokens), vectors
