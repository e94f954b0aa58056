"""Stage 1's text: a judgement as the grades with rationales that a small model learns to write, and back.

The prompt is equation (1) with `SUFFIX` in place of "Answer:", the text what comes after it: one line a dimension in
the policy's order, then the label.

    Grades:
    occupation 4: ward nurse is the same work
    requirements 2: nights are named, a car is not
    constraints 4
    label 2
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from training.judging.policy import Policy
from training.judging.records import MAX_GRADE, Judgement

SUFFIX = "\nGrades:"
"""Ends a stage 1 prompt."""
LABEL = "label"
OVERALL = "overall"
"""The key of a rationale that belongs to no dimension."""

_LINE = re.compile(rf"(\w+) ([0-{MAX_GRADE}])(?:: (.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What a stage 1 text says: grades 0-4 and rationales by dimension, and the label."""

    grades: dict[str, int]
    label: int
    rationales: dict[str, str] = field(default_factory=dict)


def graded_of(judgement: Judgement, policy: Policy) -> Graded:
    """A judgement's grades with its rationale taken apart: a line `dimension: text` belongs to that dimension.

    What stands in no such line goes to `OVERALL`. ValueError if the grades are not the policy's.
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
    """The text after `SUFFIX`, from its first line break on; no line is empty."""
    graded = graded_of(judgement, policy)
    lines = [_line(key, grade, graded.rationales.get(key)) for key, grade in graded.grades.items()]
    return "".join(
        f"\n{line}" for line in [*lines, _line(LABEL, graded.label, graded.rationales.get(OVERALL))]
    )


def parse_rationale(text: str, policy: Policy) -> Graded:
    """What a text says, as `graded_of` would; ValueError names the line that is not of the form."""
    lines = [line.strip() for line in text.strip().splitlines()]
    parsed = [_parsed(line) for line in lines]
    keys = [key for key, _, _ in parsed]
    if keys != [*policy.keys, LABEL]:
        raise ValueError(
            f"lines for {', '.join(policy.keys)} and {LABEL} expected, in this order; found: {', '.join(keys)}"
        )
    *dimensions, (_, label, overall) = parsed
    rationales = {key: words for key, _, words in dimensions if words} | (
        {OVERALL: overall} if overall else {}
    )
    return Graded(grades={key: grade for key, grade, _ in dimensions}, label=label, rationales=rationales)


def _line(key: str, grade: int, words: str | None) -> str:
    return f"{key} {grade}" + (f": {words}" if words else "")


def _parsed(line: str) -> tuple[str, int, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"not a graded line: {line[:60]!r}")
    return found[1], int(found[2]), found[3] or ""
