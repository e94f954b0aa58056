"""The rate limit of an endpoint: so many requests a minute, and none while it has asked for a pause."""

from __future__ import annotations


class RequestLimit:
    """Evenly spaced requests; times are seconds of any monotonic clock, handed in by the caller."""

    def __init__(self, requests_per_minute: float = 0.0) -> None:
        """Take requests per minute; 0 means no limit."""
        self._gap_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._next_at = self._held_until = -float("inf")

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may be sent; 0 means now."""
        return max(0.0, self._next_at - now, self._held_until - now)

    def take(self, now: float) -> None:
        """Note that a request is sent."""
        self._next_at = now + self._gap_s

    def hold(self, until: float) -> None:
        """Allow no request before this time."""
        self._held_until = max(self._held_until, until)
