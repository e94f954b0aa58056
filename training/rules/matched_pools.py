"""Judged pools as alerts meet them: the postings that the matcher finds for a query."""

from __future__ import annotations

from random import Random

from typing_extensions import override

from training.judging.policy import Policy
from training.rules.corpus import Corpus
from training.rules.matching import SummaryMatcher
from training.rules.pools import JudgedCandidate, Pools
from training.rules.queries import Drawn
from training.rules.teacher import RuleTeacher


class MatchedPools(Pools):
    """Pools of the postings in which half of a query's words stand, in title, metadata or summary.

    Retrievers' pools are full of near misses, because hard lists tell rankers apart. What a ranker's p_yes is worth for
    alerts depends on the pairs that alerts ask about, and these are they.
    """

    def __init__(self, corpus: Corpus, teacher: RuleTeacher, policy: Policy, matcher: SummaryMatcher) -> None:
        """`matcher`: over the corpus's postings, in its order."""
        self._corpus, self._teacher, self._policy, self._matcher = corpus, teacher, policy, matcher

    @override
    def pool(self, drawn: Drawn, rng: Random) -> list[JudgedCandidate] | None:
        """The matching postings with their judgements, in random order; None where none can be judged."""
        found = [self._judged(drawn, i) for i in self._matcher.matching(drawn.ask.query, rng)]
        return [one for one in found if one is not None] or None

    def _judged(self, drawn: Drawn, position: int) -> JudgedCandidate | None:
        verdict = self._teacher.judge(drawn.needs, self._corpus.postings[position])
        if verdict is None:
            return None
        label = self._policy.aggregate(verdict.grades)
        return JudgedCandidate(position=position, verdict=verdict, label=label)
