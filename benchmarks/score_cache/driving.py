"""Drive a cache under a virtual clock: readers come, scores are computed in a fixed time."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.score_cache.contenders import Cache
from pipeline.scoring.flights import Verdict

Read = tuple[float, bytes]
"""When, and which key."""


@dataclass(slots=True)
class Driven:
    """What came of the reads: engine calls, in all and by second, and readers who had to wait for one.

    `fills`: of each computed score when it was kept, and for how long it was to last.
    """

    reads: int = 0
    calls: int = 0
    blocked: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    fills: list[tuple[float, float]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """Most calls in one second."""
        return max(self.by_second.values(), default=0)

    def extra(self) -> float:
        """Calls beyond one for each time that a score was to last, as a share; for reads of one key."""
        first_s, last_s = self.fills[0][0], self.fills[-1][0]
        return sum(lasts_s for _, lasts_s in self.fills[:-1]) / (last_s - first_s) - 1.0


def drive(cache: Cache, reads: Iterable[Read], cost_s: float) -> Driven:
    """Let the reads happen, in order; a score takes `cost_s` to compute, however many are computed."""
    seen, computing = Driven(), deque[Read]()
    for now, key in reads:
        while computing and computing[0][0] <= now:
            done_s, done = computing.popleft()
            kept, _ = cache.filled(done_s, done, 0.5, cost_s)
            seen.fills.append((done_s, kept.expires_s - done_s))
        verdict = cache.look_up(now, key).verdict
        seen.reads += 1
        if verdict in (Verdict.LEAD, Verdict.EARLY):
            seen.calls += 1
            seen.by_second[int(now)] += 1
            computing.append((now + cost_s, key))
        if verdict in (Verdict.LEAD, Verdict.WAIT):
            seen.blocked += 1
    return seen
