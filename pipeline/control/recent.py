"""What controllers measure of the recent past: a percentile of latencies, and an average over time."""

from bisect import bisect_left, insort
from collections import deque
from math import exp, inf, isfinite

from pipeline.control.checks import need_positive
from pipeline.control.forward_time import ForwardTime


class RecentLatencies:
    """The latencies of the last `window_s` seconds, at most the newest `most`; NaN and negative ones only count."""

    __slots__ = ("_arrived", "_most", "_ordered", "_time", "_window_s", "ignored")

    def __init__(self, window_s: float, most: int = 512) -> None:
        need_positive("latencies", window_s=window_s, most=most)
        self._window_s, self._most = window_s, most
        self._arrived: deque[tuple[float, float]] = deque()
        self._ordered: list[float] = []
        self._time = ForwardTime()
        self.ignored = 0

    def observe(self, now: float, latency_s: float) -> None:
        """Add a latency that was measured now."""
        if not (isfinite(latency_s) and latency_s >= 0):
            self.ignored += 1
            return
        now = self._time.at(now)
        self._arrived.append((now, latency_s))
        insort(self._ordered, latency_s)
        if len(self._arrived) > self._most:
            self._drop()
        self._forget(now)

    def percentile(self, now: float, share: float = 0.95) -> float | None:
        """The percentile by nearest rank; None when nothing was measured within the window."""
        self._forget(self._time.at(now))
        count = len(self._ordered)
        return self._ordered[min(count - 1, int(share * count))] if count else None

    def _forget(self, now: float) -> None:
        while self._arrived and self._arrived[0][0] < now - self._window_s:
            self._drop()

    def _drop(self) -> None:
        _, latency_s = self._arrived.popleft()
        del self._ordered[bisect_left(self._ordered, latency_s)]


class TimeAverage:
    """An average over time of a value that stays as it is between two calls; what lies `window_s` back counts 1/e."""

    __slots__ = ("_average", "_since", "_time", "_value", "_window_s")

    def __init__(self, window_s: float, value: float = 0.0) -> None:
        need_positive("average", window_s=window_s)
        self._window_s = window_s
        self._value = self._average = value
        self._since = -inf
        self._time = ForwardTime()

    def set(self, now: float, value: float) -> None:
        """The value from now on."""
        self.average(now)
        self._value = value

    def average(self, now: float) -> float:
        """The average up to now."""
        now = self._time.at(now)
        if self._since != -inf and now > self._since:
            weight = exp((self._since - now) / self._window_s)
            self._average = weight * self._average + (1 - weight) * self._value
        self._since = now
        return self._average
