"""Grades of the second rule set: by the trade, by weighted shares of wants, and by refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.judging.records import TeacherVerdict
from training.rules.second.lexicon import SecondLexicon
from training.rules.second.reading import Reading

NAME = "second-rules@1"
MUST_WEIGHT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The meaning of a query: a job and wants."""

    job: str
    wants: tuple[str, ...] = ()

    def as_json(self, words: SecondLexicon) -> dict[str, Any]:
        """A plain object for the judged file."""
        return {"domain": words.domain, "rules": "second", "job": self.job, "wants": list(self.wants)}


def verdict(meant: Meant, heard: Reading, words: SecondLexicon) -> TeacherVerdict | None:
    """The grades; None where the title names no job, or a `must` is granted and refused."""
    musts = [key for key in meant.wants if words.wants[key].must]
    if not heard.jobs or not heard.mixed.isdisjoint(musts):
        return None
    grades = {
        "occupation": occupation_grade(meant.job, heard, words),
        "requirements": requirements_grade(meant.wants, heard, words),
        "constraints": constraints_grade(musts, heard),
    }
    shown = {
        "granted": sorted(heard.granted & set(meant.wants)),
        "refused": sorted(heard.refused & set(meant.wants)),
    }
    return TeacherVerdict(grades=grades, evidence={"jobs": sorted(heard.jobs), **shown})


def occupation_grade(job: str, heard: Reading, words: SecondLexicon) -> int:
    """4: the job asked for, 2: another job of its trade, 0: another trade."""
    if job in heard.jobs:
        return 4
    return 2 if any(words.jobs[key].trade == words.jobs[job].trade for key in heard.jobs) else 0


def requirements_grade(wants: Sequence[str], heard: Reading, words: SecondLexicon) -> int:
    """By the weighted share granted: 4 all, 3 two thirds, 2 a third, 1 less, 0 none; a `must` weighs double."""
    weight = {key: MUST_WEIGHT if words.wants[key].must else 1 for key in wants}
    got = sum(weight[key] for key in wants if key in heard.granted)
    total = sum(weight.values())
    if got == total:
        return 4
    return 0 if not got else 3 if 3 * got >= 2 * total else 2 if 3 * got >= total else 1


def constraints_grade(musts: Sequence[str], heard: Reading) -> int:
    """4: every `must` granted, 3: one left open, 1: one refused, 0: several refused."""
    refused = sum(key in heard.refused for key in musts)
    if refused:
        return 1 if refused == 1 else 0
    return 4 if all(key in heard.granted for key in musts) else 3
