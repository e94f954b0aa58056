"""Training of the tiny summarizer: the copy circuit set by hand, then its first layer trained to choose words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer

from training.components.reporting import Log
from training.synthetic import lexicon
from training.tiny import checkpoint, vocabulary
from training.tiny.encoding import Encoder
from training.tiny.ranker.generated_pool import GeneratedPool
from training.tiny.summarizer import copy_circuit, keep_layer
from training.tiny.summarizer.first_vectors import first_table
from training.tiny.summarizer.salience import salience
from training.tiny.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizerRun:
    """Settings of a training run.

    `pool`: generated postings trained on, `vocabulary_texts`: those behind the tokenizer.
    """

    seed: int = 1
    pool: int = 2000
    vocabulary_texts: int = 4000
    vocab_size: int = vocabulary.VOCAB_SIZE
    keeping: keep_layer.KeepingRun = field(default_factory=keep_layer.KeepingRun)


def train_summarizer(run: SummarizerRun, out: Path, report: Log = print) -> list[float]:
    """Train on generated postings, save to `out`; returns the loss of each step."""
    made = first_table(Random(run.seed), lexicon.load("train"), run.vocabulary_texts, run.vocab_size)
    return train_summarizer_from(*made, run, out, report)


def train_summarizer_from(
    tokenizer: Tokenizer, table: Table, run: SummarizerRun, out: Path, report: Log = print
) -> list[float]:
    """As `train_summarizer`, from any tokenizer and its [V, 256] token vectors, strongest directions first."""
    rng = Random(run.seed)
    torch.manual_seed(run.seed)
    words = lexicon.load("train")
    encoder = Encoder(tokenizer)
    scores = salience(tokenizer, table, words)
    prompt = encoder.prompter.summarizer_ids_many([""])[0]
    marks = copy_circuit.SummarizerMarkers(first=prompt[0], last=prompt[-1], end=checkpoint.EOS)
    vectors = copy_circuit.vectors(
        table[:, : copy_circuit.MEANING], scores.astype(np.float32), marks, run.seed
    )
    first = torch.Generator().manual_seed(run.seed)
    model = checkpoint.new_model(vectors, checkpoint.SUMMARIZER, first)
    copy_circuit.plant(model, first)
    texts = keep_layer.documents(encoder, GeneratedPool(rng, words, encoder, run.pool).items)
    history = keep_layer.train_keeping(model, texts, scores, run.keeping, rng, report)
    checkpoint.save(model, tokenizer, out, "summarizer@1")
    return history
