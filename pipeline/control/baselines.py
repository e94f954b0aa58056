"""The latency without a queue, by the size of the work: what is large takes longer, also at an idle server."""

from collections.abc import Iterable, Mapping
from math import inf, log2
from statistics import fmean

#: Sizes of one class differ by no more than this factor, so that their latencies differ by less than twice.
STEP = 2**0.5


class Baselines:
    """Shortest latencies by size class. One baseline for all would be that of the smallest work.

    Then a server that gets larger work looks slow: after a burst, say, whose short requests were measured.
    """

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[int, float] = {}

    def of(self, cost: float) -> float | None:
        """The baseline of work of this size, in seconds; None before one was measured."""
        return self._of.get(_class(cost))

    def learn(self, answers: Iterable[tuple[float, float]]) -> float:
        """Take in answers (cost, latency) in normal work; returns how many times their baselines they took on average.

        The mean of a class becomes its baseline where it is shorter.
        """
        found = _by_class(answers)
        for size, latencies in found.items():
            mean = fmean(latencies)
            self._of[size] = min(mean, self._of.get(size, mean))
        return fmean(
            _times(latency, self._of[size]) for size, latencies in found.items() for latency in latencies
        )

    def measured(self, answers: Iterable[tuple[float, float]]) -> None:
        """Set the baselines to the shortest answers of an idle server; those of sizes without one change alike."""
        shortest = {size: min(latencies) for size, latencies in _by_class(answers).items()}
        changes = [new / self._of[size] for size, new in shortest.items() if self._of.get(size)]
        change = fmean(changes) if changes else 1.0
        self._of = {size: change * old for size, old in self._of.items()} | shortest


def _class(cost: float) -> int:
    return round(log2(cost) / log2(STEP))


def _times(latency_s: float, baseline_s: float) -> float:
    if baseline_s > 0:
        return latency_s / baseline_s
    return inf if latency_s > 0 else 1.0


def _by_class(answers: Iterable[tuple[float, float]]) -> Mapping[int, list[float]]:
    found: dict[int, list[float]] = {}
    for cost, latency_s in answers:
        found.setdefault(_class(cost), []).append(latency_s)
    return found
