"""How each request ended: every one exactly once, and how long it took."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import StrEnum


class Ending(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    LATE = "late"  # answered, after its deadline
    SHED = "shed"  # refused at its arrival
    FAILED = "failed"  # admitted, then refused by a server


@dataclass(slots=True)
class Tally:
    """What happened to one traffic class; `latencies_s` are those of answers, from arrival to answer."""

    arrived: int = 0
    answered: int = 0
    late: int = 0
    shed: int = 0
    failed: int = 0
    deferred: int = 0
    """Requests that had to wait for a gap; each ended as one of the four above."""
    asked_items: int = 0
    cut_items: int = 0
    """Candidates beyond the depth: not scored."""
    cached_items: int = 0
    joined_items: int = 0
    """Candidates whose score another request had under way."""
    scored_items: int = 0
    refused_items: int = 0
    """Candidates that are known to be unscorable."""
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    answered_at: array[float] = field(default_factory=lambda: array("d"))
    """When each of those answers was given."""

    @property
    def ended(self) -> int:
        """Requests that have ended."""
        return self.answered + self.late + self.shed + self.failed

    def end(self, ending: Ending, at: float, latency_s: float) -> None:
        """Count a request's end."""
        if ending is Ending.ANSWERED:
            self.answered += 1
        elif ending is Ending.LATE:
            self.late += 1
        elif ending is Ending.SHED:
            self.shed += 1
        else:
            self.failed += 1
        if ending is Ending.ANSWERED or ending is Ending.LATE:
            self.latencies_s.append(latency_s)
            self.answered_at.append(at)


def quantiles(values: array[float], shares: tuple[float, ...] = (0.5, 0.9, 0.95, 0.99)) -> dict[str, float]:
    """Return percentiles by nearest rank under their names, such as p99, and the mean; empty without a value."""
    if not values:
        return {}
    ordered = sorted(values)
    found = {
        f"p{round(100 * share)}": ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        for share in shares
    }
    return {**found, "mean": sum(ordered) / len(ordered)}
