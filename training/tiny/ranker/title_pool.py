"""Training prompts of titles alone: titles of one occupation in O*NET and ESCO are queries and items for each other.

From 90,000 titles the ranker learns which of them mean the same work. A prompt holds no text, so a step costs a tenth
of one on texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from models.prompts import Item
from training.judging.lines import json_lines
from training.judging.words import search_words
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES, LabelledPrompt

SAME, RELATED, LOOKALIKES = 3, 1, 2
"""Candidates with other titles of the query's occupation, of a related one, and of lookalikes, at most."""
MIXED_CASE = 0.5
"""Share of queries that keep their capitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """An occupation's titles, the rows of occupations closely related to it, and the list and group that it is in.

    `group`: O*NET's major group or ESCO's sub-major group, two digits; of two groups of one list the work is another.
    """

    titles: tuple[str, ...]
    related: tuple[int, ...]
    list_name: str = ""
    group: str = ""


def read(onet: Path, esco: Path | None = None) -> list[Titles]:
    """The occupations of an O*NET file, then those of an ESCO file."""
    rows = [row for _, row in json_lines(onet)]
    place = {row["code"]: i for i, row in enumerate(rows)}
    found = [
        Titles(
            titles=_unique([row["title"], *row["alternate_titles"], *row["reported_titles"]]),
            related=tuple(place[code] for code in _related(row) if code in place),
            list_name="onet",
            group=row["code"][:2],
        )
        for row in rows
    ]
    offset = len(found)
    others = [row for _, row in json_lines(esco)] if esco else []
    by_group: dict[str, list[int]] = {}
    for i, row in enumerate(others):
        by_group.setdefault(row["isco"], []).append(offset + i)
    found += [
        Titles(
            titles=_unique([row["label"], *row["alt"]]),
            related=tuple(by_group[row["isco"]]),
            list_name="esco",
            group=row["isco"][:2],
        )
        for row in others
    ]
    return found


class TitlePool:
    """Draws queries among the occupations with three titles or more; candidates are titles.

    `window` is unused; the pools share one signature.
    """

    def __init__(self, rng: Random, encoder: Encoder, occupations: Sequence[Titles]) -> None:
        self._rng, self._encoder, self._all = rng, encoder, occupations
        self._asked = [i for i, one in enumerate(occupations) if len(one.titles) >= 3]
        self._lookalikes = Lookalikes(occupations)

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:  # noqa: ARG002
        """`queries` x CANDIDATES prompts, those of one query together, each with one label, at the answer."""
        return [example for _ in range(queries) for example in self._query()]

    def _query(self) -> list[LabelledPrompt]:
        rng = self._rng
        row = rng.choice(self._asked)
        own = list(self._all[row].titles)
        asked, *same = rng.sample(own, min(len(own), SAME + 1))
        chosen = [(title, SOFT_LABELS[4]) for title in same]
        near = [i for i in self._all[row].related if i != row]
        chosen += [
            (rng.choice(self._all[rng.choice(near)].titles), SOFT_LABELS[2])
            for _ in range(RELATED if near else 0)
        ]
        chosen += [(title, SOFT_LABELS[0]) for title in self._lookalikes.draw(rng, row, asked, LOOKALIKES)]
        while len(chosen) < CANDIDATES:
            other = rng.randrange(len(self._all))
            if other != row and other not in near:
                chosen.append((rng.choice(self._all[other].titles), SOFT_LABELS[0]))
        prompter = self._encoder.prompter
        items = [
            Item(title=title, company=None, location=None, employment_type=None, remote=None, text="")
            for title, _ in chosen
        ]
        prefix = prompter.prefix_ids(asked if rng.random() < MIXED_CASE else asked.lower())
        ids = [prefix + item for item in prompter.item_ids_many(items)]
        return [
            LabelledPrompt(ids=i, places=[len(i) - 1], targets=[label])
            for i, (_, label) in zip(ids, chosen, strict=True)
        ]


class Lookalikes:
    """Titles by their words: draws those that share a word with a title and mean other work."""

    def __init__(self, occupations: Sequence[Titles]) -> None:
        self._all = occupations
        self._by_word: dict[str, list[tuple[int, str]]] = {}
        for row, one in enumerate(occupations):
            for title in one.titles:
                for word in set(search_words(title)):
                    self._by_word.setdefault(word, []).append((row, title))

    def draw(self, rng: Random, row: int, title: str, most: int) -> list[str]:
        """Titles of other groups of the same list that share a word with `title`, of the occupation `row`."""
        asked, words = self._all[row], search_words(title)
        found: list[str] = []
        for _ in range(most if words else 0):
            other, drawn = rng.choice(self._by_word[rng.choice(words)])
            one = self._all[other]
            elsewhere = one.list_name == asked.list_name and one.group != asked.group
            if elsewhere and other not in asked.related and drawn not in asked.titles:
                found.append(drawn)
        return found


def _related(row: dict[str, Any]) -> list[str]:
    """Codes of the occupations that O*NET calls most closely related ("Primary-Short")."""
    return [
        str(one["code"])
        for one in row.get("related", ())
        if str(one.get("tier", "")).lower().startswith("primary-short")
    ]


def _unique(titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(title for title in titles if title))
