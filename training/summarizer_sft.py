"""The tiny summarizer: a planted copying circuit whose first layer learns what to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer

from training import checkpoint, copying, keeping, vocabulary
from training.first_table import first_table
from training.keywords import salience
from training.ranker_data import Encoder, Pool
from training.synthetic import lexicon
from training.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizerRun:
    """Everything that a training run depends on."""

    seed: int = 1
    pool: int = 2000
    vocabulary_texts: int = 4000
    vocab_size: int = vocabulary.VOCAB_SIZE
    keeping: keeping.KeepingRun = field(default_factory=keeping.KeepingRun)


def train_summarizer(run: SummarizerRun, out: Path, report: Callable[[str], None] = print) -> list[float]:
    """Train on generated postings, save to `out`; returns the loss of each step."""
    made = first_table(Random(run.seed), lexicon.load("train"), run.vocabulary_texts, run.vocab_size)
    return train_summarizer_from(*made, run, out, report)


def train_summarizer_from(
    tokenizer: Tokenizer, table: Table, run: SummarizerRun, out: Path, report: Callable[[str], None] = print
) -> list[float]:
    """The same from any tokenizer and its tokens' [V, 256] vectors, the strongest directions first."""
    rng = Random(run.seed)
    torch.manual_seed(run.seed)
    words = lexicon.load("train")
    encoder = Encoder(tokenizer)
    scores = salience(tokenizer, table, words)
    prompt = encoder.prompter.summarizer_ids_many([""])[0]
    marks = copying.Marks(first=prompt[0], last=prompt[-1], end=checkpoint.EOS)
    vectors = copying.vectors(table[:, : copying.MEANING], scores.astype(np.float32), marks, run.seed)
    first = torch.Generator().manual_seed(run.seed)
    model = checkpoint.new_model(vectors, checkpoint.SUMMARIZER, first)
    copying.plant(model, first)
    texts = keeping.documents(encoder, Pool(rng, words, encoder, run.pool).items)
    history = keeping.train_keeping(model, texts, scores, run.keeping, rng, report)
    checkpoint.save(model, tokenizer, out, "summarizer@1")
    return history
