"""The looks of the last minute, and what is read off them: values, rates and quantiles."""

from collections import deque
from collections.abc import Mapping

from nearline.top.pages import Look

WINDOW_S = 60.0


class History:
    """Keeps looks for `window_s`; rates and quantiles are those between the oldest one kept and the newest."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._looks: deque[Look] = deque()

    def add(self, look: Look) -> None:
        """Take in a look, and forget those older than the window; the newest two stay in any case."""
        self._looks.append(look)
        while len(self._looks) > 2 and look.at_s - self._looks[0].at_s > self._window_s:
            self._looks.popleft()

    @property
    def newest(self) -> Look:
        """The latest look."""
        return self._looks[-1]

    @property
    def seconds(self) -> float:
        """The time between the oldest look kept and the newest."""
        return self.newest.at_s - self._looks[0].at_s

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's newest samples with these labels; None where no process shows it."""
        return _sum(self.newest, name, labels)

    def highest(self, name: str, **labels: str) -> float | None:
        """The highest of a metric's newest samples; None where no process shows it."""
        return max((one.value for one in self.newest.values(name, labels)), default=None)

    def rate(self, name: str, **labels: str) -> float | None:
        """What a counter grew by in a second; None until two looks show it.

        A counter that is lower than before counts from 0: its process was started anew.
        """
        now = _sum(self.newest, name, labels)
        before = next((one for one in self._looks if _sum(one, name, labels) is not None), None)
        if now is None or before is None or before.at_s >= self.newest.at_s:
            return None
        then = _sum(before, name, labels) or 0.0
        return (now - then if now >= then else now) / (self.newest.at_s - before.at_s)

    def quantile(self, share: float, name: str, **labels: str) -> float | None:
        """A quantile of a histogram, in its unit: of what came between the looks, else of all since the start.

        Values are taken to lie evenly within their bucket, as Prometheus' histogram_quantile does; what lies above the
        highest bound counts as that bound.
        """
        now = _buckets(self.newest, name, labels)
        then = _buckets(self._looks[0], name, labels)
        grown = {bound: count - then.get(bound, 0.0) for bound, count in now.items()}
        recent = grown if max(grown.values(), default=0.0) > 0 and min(grown.values()) >= 0 else now
        return _quantile(share, recent)


def _sum(look: Look, name: str, labels: Mapping[str, str]) -> float | None:
    found = look.values(name, labels)
    return sum(one.value for one in found) if found else None


def _buckets(look: Look, name: str, labels: Mapping[str, str]) -> dict[float, float]:
    """Cumulative counts by upper bound, of all processes together."""
    found: dict[float, float] = {}
    for one in look.values(f"{name}_bucket", labels):
        bound = float(one.labels["le"])
        found[bound] = found.get(bound, 0.0) + one.value
    return found


def _quantile(share: float, cumulative: Mapping[float, float]) -> float | None:
    bounds = sorted(cumulative)
    if len(bounds) < 2 or not cumulative[bounds[-1]]:
        return None
    wanted, below, fewer = share * cumulative[bounds[-1]], 0.0, 0.0
    for bound in bounds[:-1]:
        if cumulative[bound] >= wanted:
            return below + (bound - below) * (wanted - fewer) / max(cumulative[bound] - fewer, 1.0)
        below, fewer = bound, cumulative[bound]
    return below
