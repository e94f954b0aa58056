"""The waits between attempts: each twice as long as the one before, up to a longest one.

Only the numbers, because the callers differ in how they wait and in how they spread the waits at random: some look at
a stop flag during a wait, some go on polling until it is over, some wait at least as long as a server asks for.
`stamina`, which retries whole calls elsewhere, sleeps through a wait and cannot be told to stop.
"""

from dataclasses import dataclass

#: Enough for any wait that makes sense, and few enough that the power fits in a float.
_MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits of `first_s`, twice that, four times that, ... seconds, and never more than `longest_s`."""

    first_s: float
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """The wait after this many failures in a row, counted from 1."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
