"""The words of judging and evaluation: a judgement, a judged query, and the postings that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from models.prompts import Item
from training.judging.postings import PostingRow

Split = Literal["train", "dev", "test"]
MAX_GRADE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a teacher says of one (query, posting): a row of the judged Parquet.

    `grades`: 0-4 by dimension of the policy, `label` their aggregate 0-4, `soft_label` p*_yes in [0, 1] of
    equation (3). `evidence` is what in the full text speaks for it, kept apart from what the ranker reads.
    `strata` name what a report breaks down by: `title only`, `one facet`, `several facets`, `seen company`, ….
    """

    query_id: str
    query: str
    posting_id: str
    grades: dict[str, int]
    label: int
    soft_label: float
    rationale: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    teacher: str
    policy: str
    split: Split = "test"
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuery:
    """One query with its judged items, in file order."""

    query_id: str
    query: str
    posting_ids: tuple[str, ...]
    labels: tuple[int, ...]
    soft_labels: tuple[float, ...]
    split: Split = "test"
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judged query with the items themselves and their grades 0-4, all in one order."""

    query: str
    posting_ids: tuple[str, ...]
    items: tuple[Item, ...]
    grades: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A query to be judged. `needs` is what a rule teacher knows of it; no other teacher and no ranker reads it."""

    query_id: str
    query: str
    needs: dict[str, Any] = field(default_factory=dict)
    split: Split = "test"
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A teacher's 0-4 on each dimension of its policy, why, and the evidence found in the full text."""

    grades: dict[str, int]
    rationale: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


class Teacher(Protocol):
    """Whoever grades postings for queries; `name` tells it and its version, such as `rules@1`."""

    @property
    def name(self) -> str:
        """Who judged, and by which version."""
        ...

    def judge_many(self, pairs: Sequence[tuple[Ask, PostingRow]]) -> list[Verdict | None]:
        """One verdict a pair, in order; None where nothing speaks for any grade: unjudged, never 0."""
        ...


ALL = "all"
