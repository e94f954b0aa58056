"""The text that a ranker learns to write in stage 1 of fine-tuning: a judgement's grades with their rationales.

The prompt is equation (1) with `SUFFIX` in place of "Answer:". The text follows it: one line for each dimension in the
policy's order, then one for the label.

    Grades:
    occupation 4: ward nurse is the same work
    requirements 2: nights are named, a car is not
    constraints 4
    label 2
"""

from __future__ import annotations

from dataclasses import dataclass, field

from training.judging.policy import Policy
from training.judging.records import Judgement

SUFFIX = "\nGrades:"
"""The end of a stage 1 prompt."""
LABEL = "label"
OVERALL = "overall"
"""The key of rationale lines that name no dimension; they are written after the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """The content of a stage 1 text: grades 0-4 and rationales by dimension, and the label."""

    grades: dict[str, int]
    label: int
    rationales: dict[str, str] = field(default_factory=dict)


def graded_of(judgement: Judgement, policy: Policy) -> Graded:
    """A judgement's grades, and its rationale split by dimension.

    A rationale line `dimension: text` belongs to that dimension, every other line to `OVERALL`. ValueError if the
    grades are not those of the policy's dimensions.
    """
    found: dict[str, list[str]] = {}
    for line in judgement.rationale.splitlines():
        key, colon, words = line.partition(":")
        owner, words = (key.strip(), words) if colon and key.strip() in policy.keys else (OVERALL, line)
        found.setdefault(owner, []).extend(words.split())
    return Graded(
        grades=policy.check(judgement.grades),
        label=judgement.label,
        rationales={key: " ".join(words) for key, words in found.items() if words},
    )


def rationale_text(judgement: Judgement, policy: Policy) -> str:
    """The text that follows `SUFFIX`; each line begins with its line break, and none is empty."""
    graded = graded_of(judgement, policy)
    lines = [_line(key, grade, graded.rationales.get(key)) for key, grade in graded.grades.items()]
    return "".join(
        f"\n{line}" for line in [*lines, _line(LABEL, graded.label, graded.rationales.get(OVERALL))]
    )


def _line(key: str, grade: int, words: str | None) -> str:
    return f"{key} {grade}" + (f": {words}" if words else "")
