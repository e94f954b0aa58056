"""Judged pairs as token ids: prompts exactly as at inference, with p*_yes or a rationale to learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.prompts import SUFFIX, Item, Prompter
from schemas.errors import ConfigError
from training.judging.records import Judgement, Split
from training.sft.targets import SoftLabel

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Stage 1's words: what ends the prompt in place of its own suffix, and a judgement as text.

    `text` may raise ValueError for a judgement that it cannot word.
    """

    suffix: str
    text: Callable[[Judgement], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One judged pair. `prompt` is equation (1), kept as its two shared parts; `answer` follows it in stage 1."""

    posting_id: str
    query: Ids
    item: Ids
    soft_label: float
    grade: int
    answer: Ids

    @property
    def length(self) -> int:
        """Tokens with the answer."""
        return len(self.query) + len(self.item) + len(self.answer)

    @property
    def prompt_length(self) -> int:
        """Tokens that the ranker reads."""
        return len(self.query) + len(self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The rows of a split and, by query, which rows are its candidates."""

    rows: tuple[Example, ...]
    queries: tuple[tuple[int, ...], ...]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [row.length for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How stage 1's answers become ids: their words, the end marker and the most tokens of one."""

    wording: Wording
    tokenizer: Tokenizer
    end_id: int
    most_tokens: int

    def prompted(self, prompter: Prompter, ids: list[int]) -> list[int]:
        """An item's ids with this suffix."""
        (own,) = prompter.count_many([SUFFIX])
        asked: list[int] = self.tokenizer.encode(self.wording.suffix, add_special_tokens=False).ids
        return ids[:-own] + asked

    def ids_many(self, judgements: Sequence[Judgement]) -> list[Ids]:
        """Ids of each rationale, ended; a rationale too long is cut and then does not end."""
        texts = [self._text(number, judgement) for number, judgement in enumerate(judgements, 1)]
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array([*e.ids, self.end_id][: self.most_tokens], np.int32) for e in encoded]

    def _text(self, number: int, judgement: Judgement) -> str:
        try:
            return self.wording.text(judgement)
        except ValueError as error:
            raise ConfigError(f"{_where(number, judgement)}: {error}") from error


def of_split(judgements: Sequence[Judgement], split: Split, source: Path) -> list[Judgement]:
    """The judgements of a split; ConfigError when it has none."""
    chosen = [judgement for judgement in judgements if judgement.split == split]
    if not chosen:
        raise ConfigError(f"{source}: no judgement in split {split!r} (of {len(judgements)})")
    return chosen


def sampled(judgements: Sequence[Judgement], most: int | None, seed: int) -> list[Judgement]:
    """Whole queries, drawn without regard to their order, until there are `most` judgements or more; then cut."""
    if most is None or len(judgements) <= most:
        return list(judgements)
    by_query: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        by_query.setdefault(judgement.query_id, []).append(judgement)
    names = sorted(by_query)
    Random(seed).shuffle(names)
    return [judgement for name in names for judgement in by_query[name]][:most]


def encode(
    judgements: Sequence[Judgement],
    postings: Mapping[str, Item],
    prompter: Prompter,
    soft_label: SoftLabel,
    answers: Answers | None = None,
) -> Examples:
    """Token ids of all rows; each query and each posting is tokenized once.

    Raises ConfigError naming the postings that are missing, or the row whose soft label is not in [0, 1].
    """
    _check_postings(judgements, postings)
    soft_labels = [_checked(number, j, soft_label(j)) for number, j in enumerate(judgements, 1)]
    named = list(dict.fromkeys(j.posting_id for j in judgements))
    ids = prompter.item_ids_many([postings[name] for name in named])
    if answers:
        ids = [answers.prompted(prompter, item) for item in ids]
    items = {name: np.array(i, np.int32) for name, i in zip(named, ids, strict=True)}
    prefixes = {
        query: np.array(prompter.prefix_ids(query), np.int32)
        for query in dict.fromkeys(j.query for j in judgements)
    }
    nothing = np.zeros(0, np.int32)
    said = answers.ids_many(judgements) if answers else [nothing] * len(judgements)
    rows = tuple(
        Example(
            posting_id=j.posting_id,
            query=prefixes[j.query],
            item=items[j.posting_id],
            soft_label=soft,
            grade=j.label,
            answer=answer,
        )
        for j, soft, answer in zip(judgements, soft_labels, said, strict=True)
    )
    return Examples(rows=rows, queries=_by_query(judgements))


def _by_query(judgements: Sequence[Judgement]) -> tuple[tuple[int, ...], ...]:
    rows: dict[str, list[int]] = {}
    for row, judgement in enumerate(judgements):
        rows.setdefault(judgement.query_id, []).append(row)
    return tuple(tuple(found) for found in rows.values())


def _check_postings(judgements: Sequence[Judgement], postings: Mapping[str, Item]) -> None:
    missing = list(dict.fromkeys(j.posting_id for j in judgements if j.posting_id not in postings))
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise ConfigError(f"{len(missing)} judged postings are not in the postings file: {shown}")


def _checked(number: int, judgement: Judgement, soft_label: float) -> float:
    if not 0 <= soft_label <= 1:
        raise ConfigError(f"{_where(number, judgement)}: soft label {soft_label} is outside [0, 1]")
    return float(soft_label)


def _where(number: int, judgement: Judgement) -> str:
    return f"judgement {number} of its split (query {judgement.query_id}, posting {judgement.posting_id})"
