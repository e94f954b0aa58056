"""Records of judging and evaluation: queries to judge, teachers' verdicts, judgements, judged queries."""

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
    """A teacher's grades for one (query, posting): a row of the judged table.

    `grades`: 0-4 by dimension of the policy; `label`: their aggregate, 0-4; `soft_label`: p*_yes of equation (3), in
    [0, 1]. `evidence`: passages of the full text that justify the grades; no ranker reads them. `strata`: groups by
    which a report breaks figures down, such as `title only`, `one facet`, `several facets`, `seen company`.
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
    """A query to be judged. `needs`: its meaning in the rules' terms, which only the rule teacher reads."""

    query_id: str
    query: str
    needs: dict[str, Any] = field(default_factory=dict)
    split: Split = "test"
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherVerdict:
    """A teacher's grades 0-4 by dimension for one pair, its reasons, and the evidence found in the full text."""

    grades: dict[str, int]
    rationale: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


AskedPair = tuple[Ask, PostingRow]
"""A query and one posting that a teacher grades for it."""


class Teacher(Protocol):
    """Grades postings for queries."""

    @property
    def name(self) -> str:
        """The teacher and its version, such as `rules@1`; each judgement carries it."""
        ...

    def judge_many(self, pairs: Sequence[AskedPair]) -> list[TeacherVerdict | None]:
        """One verdict for each pair, in order.

        None for a pair that gives no ground for any grade (unjudged, which is not 0).
        """
        ...


ALL = "all"
"""Stands for every split where a split is asked for."""
