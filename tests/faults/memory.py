"""How much memory each component of a stack takes over time, and whether that stays the same."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

import psutil

from nearline.stack import processes
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state

MIB = 2**20
#: What a component may grow by: a tenth, and what its allocator may hold back.
GROWTH, SLACK_MIB = 0.10, 24.0


@dataclass(slots=True)
class Track:
    """Resident memory of one component: when it was read, MiB of all its processes, and in which life it was."""

    at_s: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    lives: list[int] = field(default_factory=list)


class Memory:
    """Reads the memory of every component of a stack; a component that was started anew begins another life."""

    def __init__(self, stack: StackSettings) -> None:
        self._stack = stack
        self.tracks: dict[str, Track] = {}

    def read(self, at_s: float) -> None:
        """Take one reading of every component that runs."""
        restarts = {str(one["name"]): int(str(one["restarts"])) for one in read_state(self._stack.home)}
        for name, life in restarts.items():
            mib = sum(_resident(processes.marked(self._stack.home, name))) / MIB
            if mib:
                track = self.tracks.setdefault(name, Track())
                track.at_s.append(at_s)
                track.mib.append(mib)
                track.lives.append(life)


def growth(track: Track, settle_s: float) -> tuple[float, float] | None:
    """Medians of the first and the last third of the longest life, without its first `settle_s`; None: too short."""
    longest = max(set(track.lives), key=track.lives.count)
    rows = [
        (at, mib) for at, mib, life in zip(track.at_s, track.mib, track.lives, strict=True) if life == longest
    ]
    settled = [mib for at, mib in rows if at >= rows[0][0] + settle_s]
    third = len(settled) // 3
    return (median(settled[:third]), median(settled[-third:])) if third else None


def is_flat(first: float, last: float) -> bool:
    """Whether a component that took `first` MiB and takes `last` has not grown."""
    return last <= (1 + GROWTH) * first + SLACK_MIB


def _resident(found: Sequence[psutil.Process]) -> Iterator[int]:
    for process in found:
        with suppress(psutil.Error):
            yield process.memory_info().rss
