"""How many rows of a split or a run are done, and what they did."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True, kw_only=True)
class BackfillProgress:
    """Counts over the first `rows_done` rows of a split (or of a whole run).

    `outcomes` add up to `rows_in`; `left_alone` of them are rows that the mode skips, counted as unchanged. `rows_in`
    leaves out the `not_sampled` rows. Tokens are the model's own counts: `tokens_before` of the texts summarized,
    `tokens_after` of their summaries. `vectors_made` records got a vector, `vectors_refused` have texts that the
    embedder refuses, `vectors_missed` are without one because it was away; a repeated chunk counts again.
    """

    rows_done: int = 0
    finished: bool = False
    rows_in: int = 0
    not_sampled: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    left_alone: int = 0
    summarizer_calls: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    vectors_made: int = 0
    vectors_refused: int = 0
    vectors_missed: int = 0

    def to_json(self) -> bytes:
        """The counts as the content of a file."""
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps({**row, "outcomes": dict(self.outcomes)}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "BackfillProgress":
        """The counts from the content of a file."""
        row = json.loads(data)
        return cls(**{**row, "outcomes": Counter(row["outcomes"])})

    @classmethod
    def total(cls, parts: Iterable["BackfillProgress"]) -> "BackfillProgress":
        """The sum of the parts; finished if every part is."""
        total = cls(finished=True)
        for part in parts:
            total.finished = total.finished and part.finished
            total.outcomes += part.outcomes
            for name in _NUMBERS:
                setattr(total, name, getattr(total, name) + getattr(part, name))
        return total


_NUMBERS = [f.name for f in fields(BackfillProgress) if f.type is int or f.type == "int"]
