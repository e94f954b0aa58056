"""Values over the simulated time, in steps of one length: sums, and shares of a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


class Series:
    """Named series of one value a step; a step in which nothing was added counts as 0, or as the value before."""

    __slots__ = ("_last", "_sums", "step_s")

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self._sums: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._last: dict[str, dict[int, float]] = defaultdict(dict)

    def add(self, name: str, at: float, amount: float = 1.0) -> None:
        """Add to the sum of the step in which `at` lies."""
        self._sums[name][int(at / self.step_s)] += amount

    def cover(self, name: str, start: float, end: float) -> None:
        """Add the time from `start` to `end` to the steps in which it lies, as a share of each."""
        steps, step_s = self._sums[name], self.step_s
        first, last = int(start / step_s), int(end / step_s)
        for step in range(first, last + 1):
            inside = min(end, (step + 1) * step_s) - max(start, step * step_s)
            steps[step] += inside / step_s

    def note(self, name: str, at: float, value: float) -> None:
        """Set the value of the step in which `at` lies; it holds until another one is set."""
        self._last[name][int(at / self.step_s)] = value

    def lines(self, end: float) -> Mapping[str, list[float]]:
        """Return every series up to the step of `end`, one value a step."""
        steps = range(int(end / self.step_s) + 1)
        made = {name: [sums.get(step, 0.0) for step in steps] for name, sums in self._sums.items()}
        for name, values in self._last.items():
            line, value = [], 0.0
            for step in steps:
                value = values.get(step, value)
                line.append(value)
            made[name] = line
        return made
