"""Plan which tokens one forward pass computes: each shared prefix once, then what each prompt has of its own.

All tokens of a pass are in one packed row without padding. A segment is a run of tokens in that row: a prefix, or the
rest of a prompt, whose parent segment is its prefix. A token sees its own segment up to itself, and its whole parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from models.engine.base import ScoreJob

REACH = 16
"""Most jobs that are looked at as one group, since the time to find groups grows with it; groups may share a prefix."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens `start` to `start + count` of the row; `parent` is the index of the segment that they continue, or -1."""

    start: int
    count: int
    parent: int
    offset: int
    """Position of the segment's first token in its prompt."""


@dataclass(slots=True)
class Plan:
    """The tokens of one pass, their segments, and for each prompt the index of its last segment."""

    ids: list[int] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    _known: dict[tuple[int, ...], int] = field(default_factory=dict)

    def add(self, prefix: Sequence[int], rests: Sequence[Sequence[int]]) -> None:
        """Add the prompts `prefix + rest`; a prefix that the plan has already is not added again."""
        parent = self._prefix(prefix)
        for rest in rests:
            self.ends.append(self._segment(rest, parent) if rest else parent)

    def missing(self, prefix: Sequence[int]) -> int:
        """Return how many tokens the plan would have to add for this prefix: none if it has it already."""
        return 0 if tuple(prefix) in self._known else len(prefix)

    def _prefix(self, ids: Sequence[int]) -> int:
        if not ids:
            return -1
        key = tuple(ids)
        if key not in self._known:
            self._known[key] = self._segment(ids, -1)
        return self._known[key]

    def _segment(self, ids: Sequence[int], parent: int) -> int:
        offset = self.segments[parent].count if parent >= 0 else 0
        self.segments.append(Segment(len(self.ids), len(ids), parent, offset))
        self.ids.extend(ids)
        return len(self.segments) - 1


@dataclass(frozen=True, slots=True)
class JobItems:
    """Items `items` of job number `job`."""

    job: int
    items: slice
    computed_tokens: int
    """Tokens that the pass computes for them: a prefix that it has of an earlier prompt is not among them."""


def passes(jobs: Sequence[ScoreJob], budget_tokens: int) -> Iterator[tuple[Plan, list[JobItems]]]:
    """Yield plans that cover all items in order, each of about `budget_tokens` at most, or of one longer prompt."""
    plan, parts = Plan(), list[JobItems]()
    for number, (prefix, rests) in enumerate(share_many(jobs)):
        for items in _slices(rests, max(budget_tokens - len(prefix), budget_tokens // 2)):
            wanted = plan.missing(prefix) + sum(map(len, rests[items]))
            if plan.ids and len(plan.ids) + wanted > budget_tokens:
                yield plan, parts
                plan, parts = Plan(), []
            before = len(plan.ids)
            plan.add(prefix, rests[items])
            parts.append(JobItems(number, items, len(plan.ids) - before))
    if parts:
        yield plan, parts


def divided(job: ScoreJob) -> tuple[list[int], int]:
    """Return the longest prefix that a job could share with others, and how many tokens it has behind that prefix.

    Of one item it is the whole prompt, of several what all of them begin with.
    """
    prefix = _sharable(job)
    return prefix, sum(map(len, job.items)) - (len(prefix) - len(job.prefix)) * len(job.items)


def share_many(jobs: Sequence[ScoreJob]) -> list[tuple[list[int], list[list[int]]]]:
    """Return for each job the prefix that is computed once for it and its like, and the rest of each prompt.

    Prompts that came as text were tokenized one by one, so what they share is known only now. Since a prefix continues
    no other, jobs of one query share it only if that saves more than what each job's items have in common beyond it.
    """
    prefixes = [_sharable(job) for job in jobs]
    order = sorted(range(len(jobs)), key=prefixes.__getitem__)
    shared = _cheapest([prefixes[at] for at in order], [len(jobs[at].items) for at in order])
    lengths = dict(zip(order, shared, strict=True))
    return [_parted(job, prefixes[at], lengths[at]) for at, job in enumerate(jobs)]


def _sharable(job: ScoreJob) -> list[int]:
    first, last = min(job.items), max(job.items)  # what the smallest and the largest share, all share
    return job.prefix + first[: common_tokens(first, last)]


def common_tokens(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two prompts share at their begin."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))


def _cheapest(prefixes: Sequence[list[int]], items: Sequence[int]) -> list[int]:
    """Return for each of the sorted prefixes how much of it is shared, so that the fewest tokens are computed.

    Jobs that share one lie beside each other: `best[end]` holds the least cost of the first `end`, where the last group
    of these begins, and how long its prefix is.
    """
    steps = [0, *(common_tokens(*pair) for pair in pairwise(prefixes))]
    best = [(0, 0, 0)]
    for end in range(1, len(prefixes) + 1):
        length, tokens, prompts = len(prefixes[end - 1]), 0, 0
        options = list[tuple[int, int, int]]()
        for begin in range(end - 1, max(-1, end - 1 - REACH), -1):
            tokens += len(prefixes[begin]) * items[begin]
            prompts += items[begin]
            options.append((best[begin][0] + length + tokens - length * prompts, -begin, length))
            length = min(length, steps[begin], len(prefixes[begin - 1]))
            if not length:
                break
        cost, begin, length = min(options)
        best.append((cost, -begin, length))
    return _lengths(best)


def _lengths(best: Sequence[tuple[int, int, int]]) -> list[int]:
    found: list[int] = []
    end = len(best) - 1
    while end:
        _, begin, length = best[end]
        found[:0] = [length] * (end - begin)
        end = begin
    return found


def _parted(job: ScoreJob, prefix: list[int], length: int) -> tuple[list[int], list[list[int]]]:
    """Cut a job's prompts after `length` tokens of what they share."""
    at = length - len(job.prefix)
    if at >= 0:
        return prefix[:length], [item[at:] for item in job.items]
    return prefix[:length], [job.prefix[length:] + item for item in job.items]


def _slices(rests: Sequence[list[int]], budget_tokens: int) -> Iterator[slice]:
    start = taken = 0
    for index, rest in enumerate(rests):
        if index > start and taken + len(rest) > budget_tokens:
            yield slice(start, index)
            start, taken = index, 0
        taken += len(rest)
    if rests:
        yield slice(start, len(rests))
