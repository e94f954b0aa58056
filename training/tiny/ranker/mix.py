"""The training data of the tiny ranker: titles, generated postings, and real postings if files are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tokenizers import Tokenizer

from training.rules.judge import PreparedDomain
from training.synthetic import lexicon
from training.tiny.encoding import Encoder
from training.tiny.ranker import title_pool
from training.tiny.ranker.facet_queries import FacetAsker, stated_spans
from training.tiny.ranker.generated_pool import GeneratedPool
from training.tiny.ranker.marked_postings import marked_postings
from training.tiny.ranker.pools import ExamplePool, PoolMix, RenewedPool
from training.tiny.ranker.pseudo_occupations import PseudoLexicon
from training.tiny.ranker.real_pool import AskedQuery, RealPool
from training.tiny.ranker.word_queries import WordAsker
from training.tiny.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class MixConfig:
    """Shares of a step's queries by kind, and sizes.

    `pool`: generated postings held at a time; after `renew_batches` batches others are generated.
    """

    titles: float = 0.4
    """Added to the shares of the others, which sum to 1: prompts of titles are short and cost little."""
    generated: float = 0.1
    facets: float = 0.75
    words: float = 0.15
    pool: int = 4000
    renew_batches: int = 250
    seed: int = 1


def mix_maker(
    config: MixConfig, domains: Sequence[PreparedDomain], onet: Path | None, esco: Path | None
) -> Callable[[Encoder, Tokenizer, Table], PoolMix]:
    """Return a function that builds the mix once the tokenizer and its vectors are made."""

    def build(encoder: Encoder, tokenizer: Tokenizer, table_VD: Table) -> PoolMix:
        rng = Random(config.seed)
        pseudo = PseudoLexicon(*whole_words(tokenizer, table_VD))
        words = lexicon.load("train")
        generated = RenewedPool(
            lambda: GeneratedPool(rng, words, encoder, config.pool, pseudo), config.renew_batches
        )
        parts: list[tuple[float, ExamplePool]] = [(config.generated, generated)]
        if onet:
            parts.append((config.titles, title_pool.TitlePool(rng, encoder, title_pool.read(onet, esco))))
        share = (config.facets + config.words) / max(1, len(domains))
        parts += [(share, real_pool(rng, encoder, tokenizer, table_VD, domain, config)) for domain in domains]
        return PoolMix(rng, parts)

    return build


def real_pool(
    rng: Random,
    encoder: Encoder,
    tokenizer: Tokenizer,
    table_VD: Table,
    domain: PreparedDomain,
    config: MixConfig,
) -> RealPool:
    """A pool over the training postings of one domain, with facet queries and word queries."""
    words, corpus = domain.words, domain.corpus("train")
    marked = [stated_spans(p, f, words) for p, f in zip(corpus.postings, corpus.found, strict=True)]
    read = marked_postings(encoder, tokenizer, [p.item for p in corpus.postings], marked)
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    askers: list[tuple[float, Callable[[], AskedQuery]]] = [
        (config.facets, FacetAsker(rng, encoder, corpus, read)),
        (config.words, WordAsker(rng, encoder, read, tokens, table_VD, words.training_wordings())),
    ]
    return RealPool(rng, encoder, askers)


def whole_words(tokenizer: Tokenizer, table: Table) -> tuple[list[str], Table]:
    """The vocabulary's whole words of four letters and more, and their vectors."""
    named = sorted((i, t) for t, i in tokenizer.get_vocab().items() if t.isalpha() and len(t) > 3)
    return [token for _, token in named], table[[i for i, _ in named]]


def texts(domains: Iterable[PreparedDomain]) -> Iterable[str]:
    """Title and text of each training posting, from which the vocabulary is made."""
    for domain in domains:
        for posting in domain.splits.postings["train"]:
            yield f"{posting.item.title} {posting.item.text}"
