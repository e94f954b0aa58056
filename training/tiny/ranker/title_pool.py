"""Title matching at scale: titles of one occupation in public classifications (O*NET, ESCO) as queries and items.

A prompt is a title and nothing else, so that a step costs a tenth of one on texts; from 90,000 wordings the ranker
learns which titles mean the same work before it reads any posting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from models.prompts import Item
from training.judging.lines import json_lines
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES, Example

SAME, RELATED = 3, 1
MIXED_CASE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """An occupation's titles, and the rows of occupations closely related to it."""

    titles: tuple[str, ...]
    related: tuple[int, ...]


def read(onet: Path, esco: Path | None = None) -> list[Titles]:
    """Occupations of an O*NET file, then of an ESCO one; those with fewer than three titles are left out."""
    rows = [row for _, row in json_lines(onet)]
    place = {row["code"]: i for i, row in enumerate(rows)}
    found = [
        Titles(
            titles=_unique([row["title"], *row["alternate_titles"], *row["reported_titles"]]),
            related=tuple(place[code] for code in _related(row) if code in place),
        )
        for row in rows
    ]
    offset = len(found)
    others = [row for _, row in json_lines(esco)] if esco else []
    by_group: dict[str, list[int]] = {}
    for i, row in enumerate(others):
        by_group.setdefault(row["isco"], []).append(offset + i)
    found += [
        Titles(titles=_unique([row["label"], *row["alt"]]), related=tuple(by_group[row["isco"]]))
        for row in others
    ]
    return found


class TitlePool:
    """Candidate lists of titles alone; `window` is taken for the sake of the other pools' form and ignored."""

    def __init__(self, rng: Random, encoder: Encoder, occupations: Sequence[Titles]) -> None:
        self._rng, self._encoder, self._all = rng, encoder, occupations
        self._asked = [i for i, one in enumerate(occupations) if len(one.titles) >= 3]

    def batch(self, queries: int, window: int) -> list[Example]:  # noqa: ARG002
        """`queries` x CANDIDATES examples, those of one query together, each with the answer's label only."""
        return [example for _ in range(queries) for example in self._query()]

    def _query(self) -> list[Example]:
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
            Example(ids=i, places=[len(i) - 1], targets=[label])
            for i, (_, label) in zip(ids, chosen, strict=True)
        ]


def _related(row: dict[str, Any]) -> list[str]:
    """Codes of the first tier."""
    return [
        str(one["code"])
        for one in row.get("related", ())
        if str(one.get("tier", "")).lower().startswith("primary-short")
    ]


def _unique(titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(title for title in titles if title))
