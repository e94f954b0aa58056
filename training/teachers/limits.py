"""How fast an endpoint may be asked: so many requests a minute, none while it has asked for rest."""

from __future__ import annotations


class RequestLimit:
    """Evenly spaced requests; times are seconds of any monotonic clock, handed in by the caller."""

    def __init__(self, requests_per_minute: float = 0.0) -> None:
        """0: no limit."""
        self._gap_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._next_at = self._held_until = -float("inf")

    def wait_s(self, now: float) -> float:
        """Seconds until a request may go out; 0: now."""
        return max(0.0, self._next_at - now, self._held_until - now)

    def take(self, now: float) -> None:
        """A request goes out."""
        self._next_at = now + self._gap_s

    def hold(self, until: float) -> None:
        """The endpoint wants no request before this time."""
        self._held_until = max(self._held_until, until)
