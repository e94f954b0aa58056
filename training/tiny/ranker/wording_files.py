"""Wordings of searchers from public lists: titles of O*NET and ESCO, skills of ESCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from training.judging.lines import open_lines
from training.tiny.ranker import title_pool
from training.tiny.ranker.clause_index import WordingBank
from training.tiny.ranker.text_vectors import TextVectors

TITLES_EACH = 6
"""Titles of an occupation that become wordings, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingFiles:
    """The files that are given; a bank whose file is missing is empty."""

    onet: Path | None = None
    esco: Path | None = None
    skills: Path | None = None
    most: int | None = None
    """Most wordings of each bank, drawn at random; None: all."""

    def read(self, vectors: TextVectors) -> tuple[WordingBank, WordingBank]:
        """Titles and skills with their vectors."""
        titles = title_pool.read(self.onet, self.esco) if self.onet else []
        skills = [line.strip() for _, line in open_lines(self.skills)] if self.skills else []
        return (
            _bank("titles of O*NET and ESCO", self._drawn(_some_titles(titles)), vectors),
            _bank("skills of ESCO", self._drawn(skills), vectors),
        )

    def _drawn(self, texts: list[str]) -> list[str]:
        return texts if self.most is None else Random(0).sample(texts, min(self.most, len(texts)))


def _some_titles(occupations: Sequence[title_pool.Titles]) -> list[str]:
    """TITLES_EACH titles of each occupation, the same in all processes, without abbreviations behind a bar."""
    rng = Random(0)
    chosen = [rng.sample(one.titles, min(TITLES_EACH, len(one.titles))) for one in occupations]
    return [title.split("|")[0] for titles in chosen for title in titles]


def _bank(name: str, texts: Sequence[str], vectors: TextVectors) -> WordingBank:
    distinct = tuple(dict.fromkeys(text for text in texts if text))
    return WordingBank(texts=distinct, vectors=vectors.of(name, distinct))
