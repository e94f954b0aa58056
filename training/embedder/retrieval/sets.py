"""Queries over all test postings of a domain, with a grade for every pair: pools would hide what nobody retrieved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Literal

import numpy as np
import numpy.typing as npt

from schemas.errors import ConfigError
from training.judging.drawing import Asked
from training.judging.policy import Policy
from training.rules.corpus import Corpus
from training.rules.queries import asks
from training.rules.second.grading import verdict
from training.rules.second.pools import ReadPostings, questions
from training.rules.teacher import grades_of

SetName = Literal["second rules", "held out", "trained"]
SETS: tuple[SetName, ...] = ("second rules", "held out", "trained")
"""Queries of other rules and words; about occupations or facets that no training asked for; about those that it did."""
RELEVANT = 3
UNKNOWN = -1
"""Grade of a pair that the rules cannot tell: it is in no ranking of its query and counts in no figure."""
MOST_DRAWS_A_QUERY = 20
Grades = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RetrievalSet:
    """Queries [Q] over postings [N], and grades [Q, N]; each query has a relevant posting and one that is not."""

    domain: str
    name: str
    queries: tuple[str, ...]
    grades_QN: Grades


def first_rules(
    corpus: Corpus, name: Literal["held out", "trained"], count: int, seed: int, policy: Policy
) -> RetrievalSet:
    """Queries of the rules that trained, over companies that did not; on a dev corpus `name` must be `trained`."""
    asked: Asked = "any" if corpus.split == "dev" else "held-out" if name == "held out" else "trained"

    def drawn() -> Iterator[tuple[str, Grades]]:
        for one in asks(corpus, seed, asked):
            rows = zip(corpus.postings, corpus.found, strict=True)
            graded = (grades_of(one.needs, posting, found, corpus.words) for posting, found in rows)
            yield one.ask.query, _grades(graded, policy)

    return _set(corpus.words.domain, name, count, drawn())


def second_rules(read: ReadPostings, count: int, seed: int, policy: Policy) -> RetrievalSet:
    """Queries of the second rule set, which nothing is trained on."""

    def drawn() -> Iterator[tuple[str, Grades]]:
        for one in questions(read, Random(f"retrieval {seed} {read.words.domain}")):
            graded = (verdict(one.meant, heard, read.words) for heard in read.heard)
            yield one.ask.query, _grades((found.grades if found else None for found in graded), policy)

    return _set(read.words.domain, "second rules", count, drawn())


def _set(domain: str, name: str, count: int, drawn: Iterator[tuple[str, Grades]]) -> RetrievalSet:
    """The first `count` queries of different words that some postings answer and others do not."""
    found: dict[str, Grades] = {}
    for query, grades_N in islice(drawn, MOST_DRAWS_A_QUERY * count):
        if (
            query not in found
            and (grades_N >= RELEVANT).any()
            and ((grades_N >= 0) & (grades_N < RELEVANT)).any()
        ):
            found[query] = grades_N
        if len(found) == count:
            return RetrievalSet(
                domain=domain, name=name, queries=tuple(found), grades_QN=np.stack(list(found.values()))
            )
    raise ConfigError(
        f"the postings of {domain} gave {len(found)} of {count} queries ({name}): ask for fewer"
    )


def _grades(graded: Iterable[Mapping[str, int] | None], policy: Policy) -> Grades:
    return np.array([UNKNOWN if one is None else policy.aggregate(one) for one in graded], dtype=np.int8)
