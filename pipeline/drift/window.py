"""The latest measured postings, their means, and which of these are above their thresholds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pipeline.drift.measuring import Measured
from pipeline.drift.thresholds import SIGNS, WINDOW, Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Means over `count` postings, 0 for none; `guarded`: the share whose summary hits a guard."""

    count: int = 0
    kl: float = 0.0
    unknown: float = 0.0
    guarded: float = 0.0


class Window:
    """Holds as many postings as the thresholds are for."""

    def __init__(self, thresholds: Thresholds | None) -> None:
        """Without thresholds there are means and no alarm."""
        self._thresholds = thresholds
        self._size = thresholds.window if thresholds else WINDOW
        self._held: deque[Measured] = deque(maxlen=self._size)

    def add(self, measured: Measured) -> None:
        """Put a posting in the place of the oldest one."""
        self._held.append(measured)

    def means(self) -> Means:
        """The means of what is held."""
        count = len(self._held)
        return Means(
            count=count,
            kl=sum(one.kl for one in self._held) / max(1, count),
            unknown=sum(one.unknown for one in self._held) / max(1, count),
            guarded=sum(bool(one.flags) for one in self._held) / max(1, count),
        )

    def exceeded(self) -> tuple[str, ...]:
        """The names of the means that are above their thresholds; none before the window is full."""
        if self._thresholds is None or len(self._held) < self._size:
            return ()
        means = self.means()
        return tuple(sign for sign in SIGNS if getattr(means, sign) > getattr(self._thresholds, sign))
