"""From settings to a training run: reads the files, asks the teachers, trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from models.embedding.checkpoint import EmbeddingCard
from models.prompts import load_tokenizer
from schemas.errors import ConfigError
from training.components.arrays import Singles
from training.components.machine import Machine
from training.components.reporting import Log
from training.components.summaries import Summaries
from training.embedder.batches import Drawer
from training.embedder.free_queries import Score
from training.embedder.model import Space, new_model, space_of
from training.embedder.run import RunPlace, train
from training.embedder.settings import EmbedderTraining
from training.embedder.sources import DomainSource, Teachers, source_of
from training.evaluation.baselines import minilm
from training.evaluation.baselines.bi_encoder import BiEncoderConfig, SentenceEncoder
from training.evaluation.scorers import EngineScorer
from training.rules.lexicon.entries import DOMAINS
from training.tiny.ranker import title_pool
from training.tiny.ranker.clause_index import WordingBank
from training.tiny.ranker.text_vectors import MOST_TOKENS, TextVectors
from training.tiny.ranker.wording_files import WordingFiles
from training.tiny.real_domains import real_domains


def train_embedder(settings: EmbedderTraining, report: Log) -> None:
    """Train and write the checkpoint; ConfigError where no postings or no titles are given."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    real = settings.real
    if real.onet is None:
        raise ConfigError("--onet is missing: the embedder learns titles from that file")
    teachers = _teachers(settings, report)
    sources = [source_of(one, settings.postings, teachers) for one in real_domains(real, DOMAINS, report)]
    if not sources:
        raise ConfigError("no postings are given: name one of --health, --technology, --general")
    banks = WordingFiles(onet=real.onet, esco=real.esco, skills=real.skills, most=settings.wordings).read(
        teachers.vectors
    )
    titles = title_pool.read(real.onet, real.esco)
    run(settings, report, sources, banks, titles, teachers.vectors.encode)


def run(
    settings: EmbedderTraining,
    report: Log,
    sources: Sequence[DomainSource],
    banks: tuple[WordingBank, WordingBank],
    titles: Sequence[title_pool.Titles],
    encode: Callable[[Sequence[str]], Singles],
) -> None:
    """Train on what the teachers have told."""
    space = _space(sources, banks)
    scorer = EngineScorer(settings.ranker)
    drawer = Drawer(
        sources,
        banks,
        titles,
        space,
        encode,
        lambda source: _score(scorer, source),
        settings.queries,
        settings.seed,
    )
    tokenizer = load_tokenizer(settings.ranker)
    model = new_model(tokenizer, space, minilm.encoder_dir(), settings.seed)
    if settings.compile:
        model.compile()
    place = RunPlace(
        out=settings.out,
        card=EmbeddingCard(name=settings.name),
        minutes=settings.minutes,
        steps=settings.steps,
        state=settings.state or Path("build/training") / f"{settings.out.name}.pt",
        resume=settings.resume,
    )
    train(model, tokenizer, drawer, place, report, settings.seed)


def _teachers(settings: EmbedderTraining, report: Log) -> Teachers:
    encode = SentenceEncoder(BiEncoderConfig(max_tokens=MOST_TOKENS)).encode
    machine = Machine(device=torch.device("cpu"))
    return Teachers(
        summaries=Summaries(settings.summaries, settings.summarizer, report, settings.threads),
        vectors=TextVectors(settings.real.vectors, machine, encode, report),
    )


def _space(sources: Sequence[DomainSource], banks: tuple[WordingBank, WordingBank]) -> Space:
    every = [vectors for one in sources for vectors in (one.phrase_vectors, one.titles)]
    return space_of(np.concatenate([*every, *(bank.vectors for bank in banks if bank.texts)]))


def _score(scorer: EngineScorer, source: DomainSource) -> Score:
    """The ranker's p_yes on title, metadata and summary, which is all that the embedder reads."""

    def score(queries: Sequence[str], rows: Sequence[Sequence[int]]) -> list[Singles]:
        asked = [
            (query, [source.items[row] for row in few]) for query, few in zip(queries, rows, strict=True)
        ]
        return [(1 / (1 + np.exp(-d))).astype(np.float32) for d in scorer.differences(asked)]

    return score
