"""The reader of postings files: JSON Lines, plain or gzip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.lines import open_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """A posting of a postings file: what the ranker reads, and what splits and strata need."""

    posting_id: str
    item: Item
    posted_at: str | None
    source: str | None


def read_postings(path: Path) -> Iterator[PostingRow]:
    """Postings of a JSON Lines file in file order; ConfigError names the line that is wrong."""
    for number, line in open_lines(path):
        yield _posting(path, number, line)


def _posting(path: Path, number: int, line: str) -> PostingRow:
    try:
        row = json.loads(line)
        fields = {name: row.get(name) for name in ("company", "location", "employment_type", "remote")}
        return PostingRow(
            posting_id=str(row["id"]),
            item=Item(
                title=str(row.get("title") or ""),
                text=str(row.get("description") or ""),
                **{name: None if value in (None, "") else str(value) for name, value in fields.items()},
            ),
            posted_at=row.get("posted_at"),
            source=row.get("source"),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path}, line {number}: not a posting ({type(error).__name__}: {error}); each line is an object with id, title, description"
        ) from error
