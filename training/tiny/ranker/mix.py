"""The training data of the tiny ranker: titles, generated postings, and real postings if files are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from tokenizers import Tokenizer

from training.rules.judge import PreparedDomain
from training.synthetic import lexicon
from training.tiny.encoding import Encoder
from training.tiny.ranker import title_pool
from training.tiny.ranker.domain_pool import DomainPool
from training.tiny.ranker.generated_pool import GeneratedPool
from training.tiny.ranker.mix_config import MixConfig
from training.tiny.ranker.pools import ExamplePool, PoolMix, RenewedPool
from training.tiny.ranker.pseudo_occupations import PseudoLexicon
from training.tiny.ranker.taught import taught
from training.tiny.ranker.text_vectors import TextVectors
from training.tiny.ranker.wording_files import WordingFiles
from training.tiny.vocabulary import Table


def mix_maker(
    config: MixConfig, domains: Sequence[PreparedDomain], banks: WordingFiles, vectors: TextVectors | None
) -> Callable[[Encoder, Tokenizer, Table], PoolMix]:
    """Return a function that builds the mix once the tokenizer and its vectors are made.

    `vectors` may be None where no queries in free wordings are drawn.
    """

    def build(encoder: Encoder, tokenizer: Tokenizer, table_VD: Table) -> PoolMix:
        rng = Random(config.seed)
        pseudo = PseudoLexicon(*whole_words(tokenizer, table_VD))
        words = taught(lexicon.load("train"))
        generated = RenewedPool(
            lambda: GeneratedPool(rng, words, encoder, config.pool, pseudo), config.renew_batches
        )
        parts: list[tuple[float, ExamplePool]] = [(config.generated, generated)]
        if banks.onet:
            titles = title_pool.read(banks.onet, banks.esco)
            parts.append((config.titles, title_pool.TitlePool(rng, encoder, titles)))
        known = banks.read(vectors) if vectors and config.sentences else None
        share = (config.facets + config.words + config.sentences) / max(1, len(domains))
        for domain in domains:
            made = DomainPool(rng, encoder, tokenizer, table_VD, config)
            parts.append((share, made.pool(domain, known, vectors)))
        return PoolMix(rng, parts)

    return build


def whole_words(tokenizer: Tokenizer, table: Table) -> tuple[list[str], Table]:
    """The vocabulary's whole words of four letters and more, and their vectors."""
    named = sorted((i, t) for t, i in tokenizer.get_vocab().items() if t.isalpha() and len(t) > 3)
    return [token for _, token in named], table[[i for i, _ in named]]


def texts(domains: Iterable[PreparedDomain]) -> Iterable[str]:
    """Title and text of each training posting, from which the vocabulary is made."""
    for domain in domains:
        for posting in domain.splits.postings["train"]:
            yield f"{posting.item.title} {posting.item.text}"
