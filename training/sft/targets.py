"""From a teacher's ordinal grades to p*_yes of equation (3); the paper gives no formula, so rules are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.errors import ConfigError
from training.judging.records import MAX_GRADE, Judgement

SoftLabel = Callable[[Judgement], float]


def judged(judgement: Judgement) -> float:
    """The file's own soft label: the teacher's expected grade / 4, unless its policy says otherwise."""
    return judgement.soft_label


def grade(judgement: Judgement) -> float:
    """The aggregated grade / 4."""
    return judgement.label / MAX_GRADE


def dimensions(judgement: Judgement) -> float:
    """The mean grade over the policy's dimensions / 4: finer steps than the aggregate."""
    grades = judgement.grades.values()
    return sum(grades) / (MAX_GRADE * len(grades)) if grades else grade(judgement)


def relevant(judgement: Judgement) -> float:
    """1 from grade 3 on, else 0."""
    return float(judgement.label >= MAX_GRADE - 1)


RULES: Mapping[str, SoftLabel] = {
    "judged": judged,
    "grade": grade,
    "dimensions": dimensions,
    "relevant": relevant,
}


def rule(name: str) -> SoftLabel:
    """The rule of that name; ConfigError lists those that exist."""
    if name not in RULES:
        raise ConfigError(f"soft_label {name!r}: there are {', '.join(RULES)}")
    return RULES[name]
