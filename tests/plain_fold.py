"""A stream's final state by the plainest means: the events of each posting in the order of their instants.

Shares no code with `schemas.merge`, `schemas.events` or the pipeline, so that it can contradict them.
"""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES = {"add": "open", "repost": "open", "open": "open", "close": "closed", "remove": "removed"}
_FIELDS = ("title", "company", "location", "employment_type")


@dataclass(slots=True)
class Final:
    """What must stand in the store of one posting; `content` is None where a removal was the last word."""

    version: int = -1
    state: str = "open"
    episode: int = -1
    content: dict[str, Any] | None = None


def plain_fold(stream: Path) -> dict[str, Final]:
    """Every posting of an event file, folded from its oldest event to its newest."""
    histories: defaultdict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for line in gzip.decompress(stream.read_bytes()).splitlines():
        event = json.loads(line)
        histories[event["id"]].append((_instant(event["ts"]), event))
    return {posting_id: _fold(history) for posting_id, history in histories.items()}


def _instant(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _fold(history: list[tuple[int, dict[str, Any]]]) -> Final:
    final, taken = Final(), set[int]()
    for instant, event in history:
        version = instant
        while version in taken:
            version += 1
        taken.add(version)
        event["version"] = version
    for _, event in sorted(history, key=lambda pair: int(pair[1]["version"])):
        _apply(final, event)
    return final


def _apply(final: Final, event: dict[str, Any]) -> None:
    final.version, op, posting = event["version"], event["op"], event.get("posting")
    final.state = _STATES.get(op, final.state)
    if op in {"add", "open"}:
        final.episode = final.version
    if op == "remove":
        final.content = None
    elif op != "close" and posting is not None:
        final.content = {field: posting.get(field) for field in _FIELDS}
