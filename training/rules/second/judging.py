"""Judged queries of the second rule set over the companies of the test split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random

from schemas.errors import ConfigError
from training.components.summaries import Summaries
from training.judging.drawing import Drawing
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Judgement, Split
from training.judging.splits import split
from training.rules.corpus import domain_of
from training.rules.matching import SummaryMatcher
from training.rules.second.grading import NAME
from training.rules.second.lexicon import SecondLexicon, second_lexicon
from training.rules.second.pools import MatchedSecondPools, ReadPostings, SecondPools, questions
from training.rules.second.reading import read

GOOD = 3
QUERIES = 150
MOST_DRAWS_A_QUERY = 40


def drawn(
    postings: Sequence[PostingRow],
    counts: Mapping[Split, int],
    policy: Policy,
    seed: int,
    drawing: Drawing,
    summaries: Summaries | None = None,
) -> Iterator[list[Judgement]]:
    """Draw test queries with judged pools; ConfigError for another split, because nothing may be trained on them."""
    others = sorted(counts.keys() - {"test"})
    if others:
        raise ConfigError(f"the second rule set is for testing alone: --splits test=N, without {others[0]}")
    words = second_lexicon(drawing.domain or domain_of(postings))
    kept = split(postings).postings["test"]
    items, matcher = [posting.item for posting in kept], None
    if summaries:
        matcher = SummaryMatcher(items, summaries.of("test", items))
    yield from judged(read_all(kept, words), counts.get("test", QUERIES), seed, policy, matcher)


def read_all(postings: Sequence[PostingRow], words: SecondLexicon) -> ReadPostings:
    """The postings with what each says."""
    heard = tuple(read(posting, words) for posting in postings)
    return ReadPostings(words=words, postings=tuple(postings), heard=heard)


def judged(
    found: ReadPostings, count: int, seed: int, policy: Policy, matcher: SummaryMatcher | None = None
) -> Iterator[list[Judgement]]:
    """`count` queries, each text once, with their pools; ConfigError where too few come.

    Pools hold good matches and others or, with a `matcher`, what it finds.
    """
    rng = Random(f"second {seed} {found.words.domain}")
    pools = MatchedSecondPools(found, matcher) if matcher else SecondPools(found)
    seen: set[str] = set()
    for question in islice(questions(found, rng), MOST_DRAWS_A_QUERY * count):
        graded = None if question.ask.query in seen else pools.pool(question, rng)
        good = sum(policy.aggregate(one.grades) >= GOOD for _, one in graded or ())
        if graded and (matcher or 0 < good < len(graded)):
            seen.add(question.ask.query)
            yield [
                policy.judgement(question.ask, found.postings[i].posting_id, one, NAME) for i, one in graded
            ]
        if len(seen) == count:
            return
    raise ConfigError(
        f"{len(found.postings)} test postings gave {len(seen)} of {count} queries of the second rules: ask for fewer"
    )
