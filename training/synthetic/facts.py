"""The facts of a generated posting, the needs of a generated query, and the grade 0-4 that follows from both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from training.synthetic.lexicon import Occupation

SOFT_LABELS = (0.02, 0.12, 0.40, 0.72, 0.97)
"""p*_yes of grades 0-4, all away from 0 and 1, so that no logit must grow without bound."""

CONFLICTS = {
    "nights": ("days",),
    "weekends": ("days", "no_weekends"),
    "rotating": ("days",),
    "evenings": ("days",),
    "days": ("nights", "weekends", "rotating", "evenings"),
    "remote": ("onsite", "hybrid"),
    "onsite": ("remote", "hybrid"),
    "hybrid": ("remote", "onsite"),
    "full_time": ("part_time", "job_share", "term_time"),
    "part_time": ("full_time",),
    "permanent": ("fixed_term", "seasonal", "freelance", "bank", "internship"),
    "fixed_term": ("permanent",),
    "internship": ("permanent", "senior"),
    "entry": ("senior",),
    "senior": ("entry",),
    "degree": ("no_degree",),
    "no_degree": ("degree",),
    "no_weekends": ("weekends",),
    "heavy": ("light_work",),
    "light_work": ("heavy",),
    "home_daily": ("travel",),
    "teamwork": ("alone",),
    "alone": ("teamwork",),
}
"""For each facet that a query may need, the facets of a posting that contradict it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts behind a posting: its occupation, and the facets and skills that its text states or denies."""

    occupation: Occupation
    facets: tuple[str, ...]
    denied: tuple[str, ...]
    skills: tuple[str, ...]
    town: str | None

    def evidence(self) -> frozenset[str]:
        """All statements, as the tags that pieces of text carry."""
        return frozenset(
            [f"facet:{key}" for key in self.facets]
            + [f"deny:{key}" for key in self.denied]
            + [f"skill:{name}" for name in self.skills]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedQuery:
    """A search: its text, and what it asks for. `needs`: the tags `facet:KEY` or `skill:NAME` that it wants stated."""

    text: str
    occupation: Occupation | None
    needs: tuple[str, ...]
    town: str | None


def grade(query: GeneratedQuery, occupation: Occupation, town: str | None, evidence: Collection[str]) -> int:
    """The grade of a posting of this occupation and town, whose text up to here states the tags of `evidence`.

    4: same occupation and all needs; 3: half of them, or a related occupation with all; 2: same occupation
    with less, or in another town; 1: a need contradicted, or a related occupation with little; else 0.
    """
    met = sum(need in evidence for need in query.needs)
    share = met / len(query.needs) if query.needs else 1.0
    if query.occupation is None:
        return 4 if share == 1 else 2 if share >= 0.5 else 0
    same = occupation.key == query.occupation.key
    if not same and occupation.group != query.occupation.group:
        return 0
    if any(contradicted(need, evidence) for need in query.needs):
        return 1 if same else 0
    value = _grade_same(share) if same else _grade_related(share, bool(query.needs))
    away = query.town is not None and town is not None and town != query.town
    return min(value, 2 if same else 1) if away else value


def contradicted(need: str, evidence: Collection[str]) -> bool:
    """Whether the text denies a need, or states a facet in conflict with it."""
    kind, _, key = need.partition(":")
    if f"deny:{key}" in evidence:
        return True
    return (
        kind == "facet"
        and need not in evidence
        and any(f"facet:{other}" in evidence for other in CONFLICTS.get(key, ()))
    )


def _grade_same(share: float) -> int:
    return 4 if share == 1 else 3 if share >= 0.5 else 2


def _grade_related(share: float, asked: bool) -> int:
    if share == 1:
        return 3 if asked else 2
    return 2 if share >= 0.5 else 1
