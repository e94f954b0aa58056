"""The latency that an admitted request is expected to have, from the latencies of those before it."""

#: Weight of a new latency in the expected one, and how many deviations above it still count as expected.
NEW, DEVIATIONS = 0.1, 2.0


class ExpectedLatency:
    """Exponentially weighted mean and mean deviation, in seconds."""

    __slots__ = ("_deviation_s", "mean_s")

    def __init__(self) -> None:
        self.mean_s: float | None = None
        self._deviation_s = 0.0

    def observe(self, latency_s: float) -> None:
        """Take in the latency of a request that was answered."""
        if self.mean_s is None:
            self.mean_s = latency_s
            return
        self._deviation_s += NEW * (abs(latency_s - self.mean_s) - self._deviation_s)
        self.mean_s += NEW * (latency_s - self.mean_s)

    @property
    def most_s(self) -> float:
        """How long an admitted request is likely to take at most; 0 before the first answer."""
        return 0.0 if self.mean_s is None else self.mean_s + DEVIATIONS * self._deviation_s
