"""Plain lists and events of a posting as lines, and the path that they go through in one process."""

import io
import json
from collections.abc import Iterable
from typing import Any

from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.local import LocalPath, LocalSettings
from schemas.events import BrokenLine, read_events
from schemas.records import PostingUpdate, SavedSearch
from storage.memory import MemoryStore

#: After every day of the lists: 2026-05-28.
NOW_S = 1_780_000_000.0
WARD = {"title": "Ward nurse", "description": "Nights on a ward, three a week."}
SEARCH = SavedSearch(search_id="s", query="nurse", threshold=0.0)


def row(day: str, posting_id: str = "w-1", **fields: Any) -> dict[str, Any]:
    """A row of a plain list: the ward nurse, as the list has it on that day of March 2024."""
    return {"id": posting_id, **WARD, "updated_at": f"2024-03-{day}T09:00:00Z", **fields}


def event(day: str, op: str, posting_id: str = "w-1", **fields: Any) -> dict[str, Any]:
    """An event of that day, at noon."""
    posting = {**WARD, **fields} if op in {"add", "update", "repost"} else None
    line = {"ts": f"2024-03-{day}T12:00:00Z", "op": op, "id": posting_id}
    return line if posting is None else {**line, "posting": posting}


def read(lines: Iterable[dict[str, Any]]) -> list[PostingUpdate | BrokenLine]:
    """The updates of one file."""
    return list(read_events(io.BytesIO(b"\n".join(json.dumps(line).encode() for line in lines))))


def path(*searches: SavedSearch) -> LocalPath:
    """An empty store with these searches; every event is a batch of its own."""
    made = LocalPath(
        MemoryStore(lambda: NOW_S),
        InstantSummarizer(),
        LexicalRanker(),
        LocalSettings(batch_size=1),
        clock=lambda: NOW_S,
    )
    made.subscribe(searches)
    return made
