"""Postings that are judged, read from JSON Lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.prompts import Item
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """A posting of a postings file: what the ranker reads, and what splits and strata need."""

    posting_id: str
    item: Item
    posted_at: str | None
    source: str | None


def read_postings(path: Path) -> Iterator[PostingRow]:
    """Postings of a JSON Lines file, gzipped or not, in file order; ConfigError names the row that is wrong."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
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
        msg = f"{path}, line {number}: not a posting ({type(error).__name__}: {error}); each line is an object with id, title, description"
        raise ConfigError(msg) from error
