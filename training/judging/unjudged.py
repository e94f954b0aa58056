"""Pairs without a judgement, and why: they are never given a grade that nobody gave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.errors import ConfigError
from training.judging.records import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A pair that stays unjudged; `answer` is the last thing that the teacher said, cut."""

    query_id: str
    posting_id: str
    reason: str
    answer: str = ""


class Rejects:
    """The unjudged pairs of one run."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Reject] = {}

    def add(self, ask: Ask, posting_id: str, reason: str, answer: str = "") -> None:
        """Count a pair as unjudged; the first reason stays."""
        reject = Reject(query_id=ask.query_id, posting_id=posting_id, reason=reason, answer=answer[:1000])
        self._found.setdefault((ask.query_id, posting_id), reject)

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Reject]:
        return iter(self._found.values())

    def reasons(self) -> list[tuple[str, int]]:
        """How often each reason was given, the most frequent first; what differs from pair to pair is cut off."""
        return Counter(reject.reason.partition(":")[0] for reject in self).most_common()

    def write(self, path: Path) -> None:
        """JSON Lines, one pair a line; no file for none. ConfigError when it cannot be written."""
        lines = (json.dumps(asdict(reject), ensure_ascii=False) + "\n" for reject in self)
        try:
            path.unlink(missing_ok=True)
            if self._found:
                path.write_text("".join(lines), encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error}") from error
