"""Judged pools as alerts meet them: the postings that the matcher finds for a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from typing_extensions import override

from models.prompts import Item
from pipeline.match import query_terms
from pipeline.terms import terms
from training.judging.policy import Policy
from training.rules.corpus import Corpus
from training.rules.pools import JudgedCandidate, Pools
from training.rules.queries import Drawn
from training.rules.teacher import RuleTeacher

MOST = 40
"""Postings of a pool, drawn from those that match."""


class MatchedPools(Pools):
    """Pools of the postings in which half of a query's words stand, in title, metadata or summary (ADR 26).

    Retrievers' pools are full of near misses, because hard lists tell rankers apart. What a ranker's p_yes is worth for
    alerts depends on the pairs that alerts ask about, and these are they.
    """

    def __init__(
        self, corpus: Corpus, teacher: RuleTeacher, policy: Policy, summaries: Sequence[str]
    ) -> None:
        """`summaries`: of the corpus's postings, in its order."""
        self._corpus, self._teacher, self._policy = corpus, teacher, policy
        pairs = zip(corpus.postings, summaries, strict=True)
        self._terms = [_terms(replace(posting.item, text=summary)) for posting, summary in pairs]

    @override
    def pool(self, drawn: Drawn, rng: Random) -> list[JudgedCandidate] | None:
        """Up to MOST matching postings with their judgements, in random order; None where none can be judged."""
        wanted, needed = query_terms(drawn.ask.query)
        matching = [i for i, held in enumerate(self._terms) if len(wanted & held) >= needed]
        found = [self._judged(drawn, i) for i in rng.sample(matching, min(MOST, len(matching)))]
        return [one for one in found if one is not None] or None

    def _judged(self, drawn: Drawn, position: int) -> JudgedCandidate | None:
        verdict = self._teacher.judge(drawn.needs, self._corpus.postings[position])
        if verdict is None:
            return None
        label = self._policy.aggregate(verdict.grades)
        return JudgedCandidate(position=position, verdict=verdict, label=label)


def _terms(item: Item) -> frozenset[str]:
    fields = (item.title, item.company, item.location, item.employment_type, item.remote, item.text)
    return terms(" ".join(field for field in fields if field))
