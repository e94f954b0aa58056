"""A time that never steps back, for controllers whose clock is an argument."""

from math import inf


class ForwardTime:
    """The highest `now` so far; a `now` that is lower, NaN or infinite is counted and changes nothing."""

    __slots__ = ("now", "steps_back")

    def __init__(self) -> None:
        self.now = -inf
        self.steps_back = 0

    def at(self, now: float) -> float:
        """The time to go by: `now`, or the time before it where `now` cannot be."""
        if self.now <= now < inf:
            self.now = now
        elif self.now == -inf:
            # nothing was told yet, so that there is no time to stay at
            self.steps_back += 1
            return 0.0
        else:
            self.steps_back += 1
        return self.now
