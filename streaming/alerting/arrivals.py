"""When requests came into their topic, by this process's monotonic clock, whatever its wall clock says.

The end of a partition that was read at some moment parts its messages into those that came before and those that come
after it. So the age of a request lies between the times of two such readings, without any clock but this process's own.
"""

from bisect import bisect_right
from collections.abc import Mapping

#: Readings that are kept of a partition are at least so far apart: what their number bounds matters by the hour.
APART_S = 30.0
#: A reading that took longer than this is not waited for (streaming/kafka/lag.py), so that ages may be off by so much.
READING_S = 1.0


class _Partition:
    """Ends of one partition and when they were read, both growing."""

    __slots__ = ("at_s", "ends")

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self.ends: list[int] = []

    def note(self, now: float, end: int) -> None:
        """Take in a reading; a last one that says the same or is young is replaced."""
        if self.ends and end < self.ends[-1]:
            # the topic was created anew
            self.at_s.clear()
            self.ends.clear()
        if self.ends and (end == self.ends[-1] or (len(self.ends) > 1 and now - self.at_s[-2] < APART_S)):
            self.at_s[-1], self.ends[-1] = now, end
            return
        self.at_s.append(now)
        self.ends.append(end)

    def forget(self, before_s: float) -> None:
        """Forget readings before a time, but for the newest one."""
        count = min(bisect_right(self.at_s, before_s), len(self.at_s) - 1)
        del self.at_s[:count], self.ends[:count]

    def between(self, now: float, offset: int) -> tuple[float, float]:
        """The least and the most that the age of the message at `offset` can be; infinite where nothing tells."""
        after = bisect_right(self.ends, offset)
        least = now - self.at_s[after] - READING_S if after < len(self.ends) else 0.0
        most = now - self.at_s[after - 1] if after else float("inf")
        return max(0.0, least), max(0.0, most)


class Arrivals:
    """Bounds of the ages of requests, from readings of the partitions' ends; `kept_s`: how long readings are kept."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._partitions: dict[int, _Partition] = {}

    def note(self, now: float, ends: Mapping[int, int]) -> None:
        """Take in the ends (next offsets) of partitions, as they were at `now` or a little later."""
        for number, end in ends.items():
            partition = self._partitions.setdefault(number, _Partition())
            partition.note(now, end)
            partition.forget(now - self._kept_s)

    def age_s(self, now: float, partition: int, offset: int, believed_s: float) -> float:
        """`believed_s`, the age by the wall clock, moved into the bounds that are known of this message.

        Nothing is known of messages that were in the topic before this process read its end for the first time.
        """
        known = self._partitions.get(partition)
        if known is None:
            return max(0.0, believed_s)
        least, most = known.between(now, offset)
        return min(most, max(least, believed_s))
