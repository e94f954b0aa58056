"""How far a split or a run is, and what its rows did so far."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True, kw_only=True)
class BackfillProgress:
    """Counts over the first `rows_done` rows of a split (or of a whole run).

    `outcomes` add up to `rows_in`; `left_alone` of them are rows that the mode did not ask for, counted as unchanged;
    `not_sampled` rows are not in. Tokens are the model's own, of the texts summarized: before, and after.
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

    def to_json(self) -> bytes:
        """As it is kept."""
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps({**row, "outcomes": dict(self.outcomes)}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "BackfillProgress":
        """As it was kept."""
        row = json.loads(data)
        return cls(**{**row, "outcomes": Counter(row["outcomes"])})

    @classmethod
    def total(cls, parts: Iterable["BackfillProgress"]) -> "BackfillProgress":
        """The sum; finished when every part is."""
        total = cls(finished=True)
        for part in parts:
            total.finished = total.finished and part.finished
            total.outcomes += part.outcomes
            for name in _NUMBERS:
                setattr(total, name, getattr(total, name) + getattr(part, name))
        return total


_NUMBERS = [f.name for f in fields(BackfillProgress) if f.type is int or f.type == "int"]
