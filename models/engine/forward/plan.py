"""Plan which tokens one forward pass computes: each shared prefix once, then what each prompt has of its own.

All tokens of a pass are in one packed row without padding. A segment is a run of tokens in that row: a prefix, or the
rest of a prompt, whose parent segment is its prefix. A token sees its own segment up to itself, and its whole parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.engine.base import ScoreJob


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
    for number, job in enumerate(jobs):
        prefix, rests = share(job)
        for items in _slices(rests, max(budget_tokens - len(prefix), budget_tokens // 2)):
            wanted = len(prefix) + sum(map(len, rests[items]))
            if plan.ids and len(plan.ids) + wanted > budget_tokens:
                yield plan, parts
                plan, parts = Plan(), []
            before = len(plan.ids)
            plan.add(prefix, rests[items])
            parts.append(JobItems(number, items, len(plan.ids) - before))
    if parts:
        yield plan, parts


def share(job: ScoreJob) -> tuple[list[int], list[list[int]]]:
    """Return the longest prefix that all prompts of a job share, and the rest of each prompt.

    Prompts that came as text were tokenized one by one, so what they share is known only now.
    """
    if len(job.items) < 2:
        return ([], [job.prefix + item for item in job.items])
    first, last = min(job.items), max(job.items)  # what the smallest and the largest share, all share
    common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return job.prefix + job.items[0][:common], [item[common:] for item in job.items]


def _slices(rests: Sequence[list[int]], budget_tokens: int) -> Iterator[slice]:
    start = taken = 0
    for index, rest in enumerate(rests):
        if index > start and taken + len(rest) > budget_tokens:
            yield slice(start, index)
            start, taken = index, 0
        taken += len(rest)
    if rests:
        yield slice(start, len(rests))
