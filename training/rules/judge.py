"""Judging by rules, from postings to the judged queries of a split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from schemas.errors import ConfigError
from training.components.summaries import Summaries
from training.judging.drawing import Asked, Domain
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Judgement, Split
from training.judging.splits import Splits, split
from training.rules.corpus import Corpus, all_evidence, domain_of
from training.rules.evidence import Evidence
from training.rules.lexicon.entries import RuleLexicon, lexicon
from training.rules.matched_pools import MatchedPools
from training.rules.matching import SummaryMatcher
from training.rules.pools import Dense, JudgedCandidate, JudgedPools, Pools, RulePoolSizes
from training.rules.queries import Drawn, asks
from training.rules.teacher import NAME, RuleTeacher

MOST_DRAWS_A_QUERY = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """Queries of each split, the seed of their draws, and the sizes of their pools."""

    queries: dict[Split, int] = field(default_factory=lambda: {"train": 8000, "dev": 200, "test": 800})
    seed: int = 0
    pool: RulePoolSizes = field(default_factory=RulePoolSizes)
    train_pool: RulePoolSizes = field(
        default_factory=lambda: RulePoolSizes(by_title=3, by_text=4, same=8, random=5)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDomain:
    """One domain's postings by split, and the evidence of each."""

    words: RuleLexicon
    splits: Splits
    known: dict[str, Evidence]

    def corpus(self, name: Split) -> Corpus:
        """The corpus of one split, over which queries are drawn."""
        return Corpus.of(name, self.words, self.splits.postings[name], self.known)


def prepare(
    postings: list[PostingRow], domain: Domain | None = None, cache: Path | None = None
) -> PreparedDomain:
    """Split the postings and search them for evidence; without `domain` it is recognised by the titles."""
    words = lexicon(domain or domain_of(postings))
    return PreparedDomain(words=words, splits=split(postings), known=all_evidence(postings, words, cache))


def judged(
    prepared: PreparedDomain,
    name: Split,
    count: int,
    seed: int,
    pool: RulePoolSizes,
    policy: Policy,
    dense: Dense | None = None,
    asked: Asked = "any",
) -> Iterator[list[Judgement]]:
    """Draw `count` queries of a split, each with its judged pool; ConfigError where the postings give too few.

    ValueError if the policy has other dimensions than the rules grade.
    """
    corpus = prepared.corpus(name)
    teacher = RuleTeacher(prepared.words, prepared.known)
    pools = JudgedPools(corpus, teacher, policy.aggregate, pool, dense)
    yield from _judgements(corpus, pools, policy, seed, count, asked)


def judged_matches(
    prepared: PreparedDomain,
    name: Split,
    count: int,
    seed: int,
    policy: Policy,
    summaries: Summaries,
    asked: Asked = "any",
) -> Iterator[list[Judgement]]:
    """As `judged`, with the pools that the matcher finds by summaries."""
    corpus = prepared.corpus(name)
    teacher = RuleTeacher(prepared.words, prepared.known)
    items = [posting.item for posting in corpus.postings]
    matcher = SummaryMatcher(items, summaries.of(name, items))
    yield from _judgements(corpus, MatchedPools(corpus, teacher, policy, matcher), policy, seed, count, asked)


def _judgements(
    corpus: Corpus, pools: Pools, policy: Policy, seed: int, count: int, asked: Asked
) -> Iterator[list[Judgement]]:
    for drawn, found in pooled(corpus, pools, seed, count, asked):
        yield [
            policy.judgement(drawn.ask, corpus.postings[one.position].posting_id, one.verdict, NAME)
            for one in found
        ]


def pooled(
    corpus: Corpus, pools: Pools, seed: int, count: int, asked: Asked = "any"
) -> Iterator[tuple[Drawn, list[JudgedCandidate]]]:
    """Draw `count` queries with judged pools; outside the train split no query text occurs twice."""
    rng = Random(f"pools {seed} {corpus.split}")
    seen: set[str] = set()
    given = 0
    for draws, drawn in enumerate(asks(corpus, seed, asked)):
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
