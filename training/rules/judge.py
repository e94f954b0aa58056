"""From postings to judged queries of every split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from schemas.errors import ConfigError
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Judgement, Split
from training.judging.splits import Splits, split
from training.rules.corpus import Corpus, all_evidence, domain_of
from training.rules.evidence import Evidence
from training.rules.lexicon.entries import Domain, Lexicon, lexicon
from training.rules.pools import Candidate, Dense, Pools, RulePoolSizes
from training.rules.queries import Drawn, asks
from training.rules.teacher import RuleTeacher

MOST_DRAWS_A_QUERY = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """How many queries a split gets, from which seed, with which pools."""

    queries: dict[Split, int] = field(default_factory=lambda: {"train": 8000, "dev": 200, "test": 800})
    seed: int = 0
    pool: RulePoolSizes = field(default_factory=RulePoolSizes)
    train_pool: RulePoolSizes = field(
        default_factory=lambda: RulePoolSizes(by_title=3, by_text=4, same=8, random=5)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One domain's postings, split, with their evidence."""

    words: Lexicon
    splits: Splits
    known: dict[str, Evidence]

    def corpus(self, name: Split) -> Corpus:
        """One split's postings as queries are drawn over them."""
        return Corpus.of(name, self.words, self.splits.postings[name], self.known)


def prepare(postings: list[PostingRow], domain: Domain | None = None, cache: Path | None = None) -> Prepared:
    """Split the postings and look for evidence; the domain is found by their titles if none is told."""
    words = lexicon(domain or domain_of(postings))
    return Prepared(words=words, splits=split(postings), known=all_evidence(postings, words, cache))


def judged(
    prepared: Prepared,
    name: Split,
    count: int,
    seed: int,
    pool: RulePoolSizes,
    policy: Policy,
    dense: Dense | None = None,
) -> Iterator[list[Judgement]]:
    """`count` queries of a split, each with its judged pool; ConfigError where the postings give too few.

    ValueError if the policy has other dimensions than the rules grade.
    """
    corpus = prepared.corpus(name)
    teacher = RuleTeacher(prepared.words, prepared.known)
    for drawn, found in pooled(corpus, Pools(corpus, teacher, policy.aggregate, pool, dense), seed, count):
        yield [
            policy.judgement(drawn.ask, corpus.postings[one.position].posting_id, one.verdict, teacher.name)
            for one in found
        ]


def pooled(corpus: Corpus, pools: Pools, seed: int, count: int) -> Iterator[tuple[Drawn, list[Candidate]]]:
    """`count` drawn asks with their judged pools; outside training no text comes twice."""
    rng = Random(f"pools {seed} {corpus.split}")
    seen: set[str] = set()
    given = 0
    for draws, drawn in enumerate(asks(corpus, seed)):
        if given == count or draws >= MOST_DRAWS_A_QUERY * count:
            break
        found = None if drawn.ask.query in seen else pools.pool(drawn, rng)
        if found:
            given += 1
            if corpus.split != "train":
                seen.add(drawn.ask.query)
            yield drawn, found
    if given < count:
        raise ConfigError(
            f"the {corpus.split} split of {len(corpus.postings)} postings gave {given} of {count} queries: "
            "ask for fewer, or give more postings"
        )
