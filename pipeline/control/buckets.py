"""A token bucket: how much work a traffic class may begin, by a rate and a burst. Pure, the clock is an argument."""

from math import inf

from pipeline.control.checks import need_positive
from pipeline.control.forward_time import ForwardTime


class TokenBucket:
    """Fills by `rate_per_s` up to `burst`; ConfigError for a rate or burst that is not above 0.

    Work that costs more than the burst may begin once the bucket is full, and the bucket then owes the rest: otherwise
    such work would wait for ever.
    """

    __slots__ = ("_burst", "_filled_at", "_rate_per_s", "_time", "_tokens")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        need_positive("bucket", rate_per_s=rate_per_s, burst=burst)
        self._rate_per_s, self._burst = rate_per_s, burst
        self._tokens = burst
        self._filled_at = -inf
        self._time = ForwardTime()

    def level(self, now: float) -> float:
        """The tokens that are there now; negative while the bucket owes."""
        now = self._time.at(now)
        if now > self._filled_at > -inf:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now
        return self._tokens

    def has(self, now: float, cost: float) -> bool:
        """Whether work of this cost may begin now."""
        return self.level(now) >= min(cost, self._burst)

    def take(self, now: float, cost: float) -> None:
        """Take the tokens of work that begins now, whether or not they are there."""
        self._tokens = self.level(now) - cost

    def wait_s(self, now: float, cost: float) -> float:
        """Seconds until work of this cost may begin, if nothing else takes tokens."""
        return max(0.0, (min(cost, self._burst) - self.level(now)) / self._rate_per_s)
