"""Judged queries of the second rule set over the companies of the test split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random

from schemas.errors import ConfigError
from training.judging.drawing import Drawing
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Judgement, Split
from training.judging.splits import split
from training.rules.corpus import domain_of
from training.rules.second.grading import NAME
from training.rules.second.lexicon import SecondLexicon, second_lexicon
from training.rules.second.pools import ReadPostings, SecondPools, questions
from training.rules.second.reading import read

GOOD = 3
QUERIES = 150
MOST_DRAWS_A_QUERY = 40


def drawn(
    postings: Sequence[PostingRow], counts: Mapping[Split, int], policy: Policy, seed: int, drawing: Drawing
) -> Iterator[list[Judgement]]:
    """Draw test queries with judged pools; ConfigError for another split, because nothing may be trained on them."""
    others = sorted(counts.keys() - {"test"})
    if others:
        raise ConfigError(f"the second rule set is for testing alone: --splits test=N, without {others[0]}")
    words = second_lexicon(drawing.domain or domain_of(postings))
    kept = split(postings).postings["test"]
    yield from judged(read_all(kept, words), counts.get("test", QUERIES), seed, policy)


def read_all(postings: Sequence[PostingRow], words: SecondLexicon) -> ReadPostings:
    """The postings with what each says."""
    heard = tuple(read(posting, words) for posting in postings)
    return ReadPostings(words=words, postings=tuple(postings), heard=heard)


def judged(found: ReadPostings, count: int, seed: int, policy: Policy) -> Iterator[list[Judgement]]:
    """`count` queries, each text once, with pools that hold good matches and others; ConfigError where too few come."""
    rng, pools = Random(f"second {seed} {found.words.domain}"), SecondPools(found)
    seen: set[str] = set()
    for question in islice(questions(found, rng), MOST_DRAWS_A_QUERY * count):
        graded = None if question.ask.query in seen else pools.pool(question, rng)
        good = sum(policy.aggregate(one.grades) >= GOOD for _, one in graded or ())
        if graded and 0 < good < len(graded):
            seen.add(question.ask.query)
            yield [
                policy.judgement(question.ask, found.postings[i].posting_id, one, NAME) for i, one in graded
            ]
        if len(seen) == count:
            return
    raise ConfigError(
        f"{len(found.postings)} test postings gave {len(seen)} of {count} queries of the second rules: ask for fewer"
    )
