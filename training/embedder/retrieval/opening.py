"""A measurement of retrieval from files and checkpoint directories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from models.embedding.checkpoint import load_card, write_card
from models.embedding.embedder import CheckpointEmbedder
from schemas.errors import ConfigError
from training.components.reporting import Log
from training.components.summaries import Summaries
from training.embedder.retrieval.retrievers import Encode, Postings, summarized
from training.embedder.retrieval.run import Summarize, derived_threshold, measure
from training.embedder.retrieval.settings import RetrievalConfig
from training.evaluation.scorers import EngineScorer
from training.rules.judge import PreparedDomain
from training.rules.lexicon.entries import DOMAINS
from training.tiny.real_domains import real_domains
from training.tiny.settings import RealData

SUMMARIES = Path("build/embedder/summaries")


def measured(
    config: RetrievalConfig,
    real: RealData,
    checkpoints: tuple[Path, Path, Path],
    share: float | None,
    report: Log,
) -> dict[str, Any]:
    """The report of an embedder, ranker and summarizer; with `share` the card's threshold is derived first."""
    directory, ranker, summarizer = checkpoints
    model = CheckpointEmbedder(directory)
    domains = real_domains(real, DOMAINS, report)
    if not domains:
        raise ConfigError("no postings are given: name one of --health, --technology, --general")
    summarize = _summarize(Summaries(SUMMARIES, summarizer, report))
    card = load_card(directory)
    if share is not None:
        card = replace(card, threshold=round(derived_threshold(domains, summarize, model, config, share), 4))
        write_card(directory, card)
    encode, scorer = _encode(config.minilm, report), EngineScorer(ranker)
    return measure(domains, summarize, model, encode, scorer, config, card.threshold, report)


def _summarize(summaries: Summaries) -> Summarize:
    def summarize(domain: PreparedDomain, split: str) -> Postings:
        items = [
            posting.item for name, rows in domain.splits.postings.items() if name == split for posting in rows
        ]
        return summarized(items, summaries.of(f"{domain.words.domain}, {split}", items))

    return summarize


def _encode(cache: Path | None, report: Log) -> Encode | None:
    try:
        from training.evaluation.baselines.bi_encoder import BiEncoder
        from training.evaluation.baselines.minilm import encoder_dir

        encoder_dir()
        return BiEncoder(cache=cache).vectors
    except ImportError as error:
        report(f"MiniLM is left out: {error}")
        return None
