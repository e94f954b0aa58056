"""One judging run: a teacher grades pairs; verdicts become rows of the judged table, pairs without one are listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from schemas.errors import ConfigError
from training.judging.policy import GRADES, Policy
from training.judging.postings import PostingRow
from training.judging.queries import Query
from training.judging.records import AskedPair, Judgement, Split, Teacher
from training.judging.unjudged import Rejects

NO_EVIDENCE = "nothing in the posting speaks for any grade"


def judge(
    pairs: Iterable[AskedPair],
    teacher: Teacher,
    policy: Policy,
    rejects: Rejects,
    *,
    chunk: int,
    done: Callable[[int], object] = lambda _count: None,
) -> Iterator[Judgement]:
    """The judgements of all pairs that the teacher grades, in their order.

    Pairs without a verdict are added to `rejects`. The teacher is given `chunk` pairs at a time, and `done` is called
    with their number after each chunk. ConfigError when the teacher grades other dimensions than the policy's.
    """
    waiting = iter(pairs)
    while asked := list(islice(waiting, chunk)):
        for (ask, posting), verdict in zip(asked, teacher.judge_many(asked), strict=True):
            if verdict is None:
                rejects.add(ask, posting.posting_id, NO_EVIDENCE)
                continue
            try:
                yield policy.judgement(ask, posting.posting_id, verdict, teacher.name)
            except ValueError as error:
                raise ConfigError(
                    f"{teacher.name} does not grade by the policy {policy.identity}: {error}"
                ) from error
        done(len(asked))


def check_splits(queries: Sequence[Query], postings: Mapping[str, PostingRow]) -> None:
    """Raise ConfigError naming a posting, or a pair of near-duplicates, that is in two splits.

    Splits may share query texts: postings are held out, not queries. Phrases never trained on are a stratum of their
    own in the report.
    """
    by_split: dict[Split, dict[str, PostingRow]] = defaultdict(dict)
    for query in queries:
        by_split[query.ask.split] |= {posting_id: postings[posting_id] for posting_id in query.posting_ids}
    if len(by_split) > 1:
        from training.judging.splits import check_no_leak

        check_no_leak({split: list(rows.values()) for split, rows in by_split.items()})


class GradeCounts:
    """Counts a run's judgements: how many have each label 0-4, and each grade 0-4 in each dimension."""

    def __init__(self, policy: Policy) -> None:
        self.labels = [0 for _ in GRADES]
        self.grades = {key: [0 for _ in GRADES] for key in policy.keys}

    @property
    def judged(self) -> int:
        """How many judgements were counted."""
        return sum(self.labels)

    def counting(self, judgements: Iterable[Judgement]) -> Iterator[Judgement]:
        """Hand the judgements on, counting each."""
        for judgement in judgements:
            self.labels[judgement.label] += 1
            for key, grade in judgement.grades.items():
                self.grades[key][grade] += 1
            yield judgement
