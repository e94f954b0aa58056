"""Judging as one run: pairs to a teacher, verdicts to rows by the policy, the unjudged apart, no leak between splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from schemas.errors import ConfigError
from training.judged import Ask, Judgement, PostingRow, Split, Teacher
from training.policy import GRADES, Policy
from training.queries import Query
from training.teachers.rejects import Rejects

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
) -> list[Judgement]:
    """The judgements of the pairs that the teacher judges, in their order; the others go to `rejects`.

    `chunk` pairs go to the teacher at once; `done` is told how many after each. ValueError for a teacher whose
    grades are not the policy's.
    """
    judgements, waiting = [], iter(pairs)
    while asked := list(islice(waiting, chunk)):
        for (ask, posting), verdict in zip(asked, teacher.judge_many(asked), strict=True):
            if verdict is None:
                rejects.add(ask, posting.posting_id, NO_EVIDENCE)
            else:
                judgements.append(policy.judgement(ask, posting.posting_id, verdict, teacher.name))
        done(len(asked))
    return judgements


def check_splits(queries: Sequence[Query]) -> None:
    """ConfigError when a posting or a search stands in two splits: what is held out must not be trained on."""
    postings: dict[str, tuple[Split, str]] = {}
    searches: dict[str, tuple[Split, str]] = {}
    for query in queries:
        ask = query.ask
        _seen(searches, " ".join(ask.query.lower().split()), ask, "the search")
        for posting_id in query.posting_ids:
            _seen(postings, posting_id, ask, "posting")


def _seen(seen: dict[str, tuple[Split, str]], key: str, ask: Ask, what: str) -> None:
    split, query_id = seen.setdefault(key, (ask.split, ask.query_id))
    if split != ask.split:
        msg = (
            f"a leak between splits: {what} {key!r:.80} stands in {split} (query {query_id!r}) "
            f"and in {ask.split} (query {ask.query_id!r})"
        )
        raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run came to: rows, labels 0-4 and grades 0-4 of each dimension as counts."""

    judged: int
    unjudged: int
    labels: list[int]
    grades: dict[str, list[int]]


def summary_of(judgements: Sequence[Judgement], rejects: Rejects, policy: Policy) -> Summary:
    """The counts of a run."""
    labels = Counter(judgement.label for judgement in judgements)
    grades = {key: Counter(judgement.grades[key] for judgement in judgements) for key in policy.keys}
    return Summary(
        judged=len(judgements),
        unjudged=len(rejects),
        labels=[labels[grade] for grade in GRADES],
        grades={key: [counts[grade] for grade in GRADES] for key, counts in grades.items()},
    )
