"""Judging as one run: pairs to a teacher, verdicts to rows by the policy, the unjudged apart, no leak between splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from schemas.errors import ConfigError
from training.judging.policy import GRADES, Policy
from training.judging.postings import PostingRow
from training.judging.queries import Query
from training.judging.records import Ask, Judgement, Split, Teacher
from training.judging.unjudged import Rejects

NO_EVIDENCE = "nothing in the posting speaks for any grade"

Pair = tuple[Ask, PostingRow]


def judge(
    pairs: Iterable[Pair],
    teacher: Teacher,
    policy: Policy,
    rejects: Rejects,
    *,
    chunk: int,
    done: Callable[[int], object] = lambda _count: None,
) -> Iterator[Judgement]:
    """The judgements of the pairs that the teacher judges, in their order; the others go to `rejects`.

    `chunk` pairs go to the teacher at once; `done` is told how many after each. ConfigError for a teacher whose
    grades are not the policy's.
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
    """ConfigError names a posting or a pair of near-duplicates that stand in two splits.

    Two splits may well ask the same: what is held out is who answers; a phrase never trained on is a stratum.
    """
    by_split: dict[Split, dict[str, PostingRow]] = defaultdict(dict)
    for query in queries:
        by_split[query.ask.split] |= {posting_id: postings[posting_id] for posting_id in query.posting_ids}
    if len(by_split) > 1:
        from training.judging.splits import check_no_leak

        check_no_leak({split: list(rows.values()) for split, rows in by_split.items()})


class Summary:
    """Counts the rows that pass through it: labels 0-4, and grades 0-4 of each dimension."""

    def __init__(self, policy: Policy) -> None:
        self.labels = [0 for _ in GRADES]
        self.grades = {key: [0 for _ in GRADES] for key in policy.keys}

    @property
    def judged(self) -> int:
        """How many rows came by."""
        return sum(self.labels)

    def counting(self, judgements: Iterable[Judgement]) -> Iterator[Judgement]:
        """The same rows, counted."""
        for judgement in judgements:
            self.labels[judgement.label] += 1
            for key, grade in judgement.grades.items():
                self.grades[key][grade] += 1
            yield judgement
