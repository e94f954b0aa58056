"""Watches a run from outside: outputs, memory and processor time by role, twice a second."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

#: Processes by the part that they play, as "worker" or "JVM".
Roles = Mapping[str, Sequence[psutil.Process]]
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample. Memory in MiB: `private` is a role's own, `mapped` shared with files, mostly those of the store."""

    at_s: float
    outputs: int
    cpu_s: Mapping[str, float]
    private: Mapping[str, float]
    mapped: Mapping[str, float]
    store: float


@dataclass(slots=True, kw_only=True)
class Sampler:
    """`roles` is asked each time, because workers come late. A process that is gone keeps its last processor time."""

    roles: Callable[[], Roles]
    outputs: Callable[[], int]
    store: Path
    samples: list[Sample] = field(default_factory=list)
    _cpu_s: dict[tuple[str, int], float] = field(default_factory=dict)

    def take(self, now_s: float) -> Sample:
        """Look once."""
        private: dict[str, float] = {}
        mapped: dict[str, float] = {}
        for role, processes in self.roles().items():
            private[role] = mapped[role] = 0.0
            for process in processes:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    memory, cpu = process.memory_info(), process.cpu_times()
                    private[role] += (memory.rss - memory.shared) / MIB
                    mapped[role] += memory.shared / MIB
                    self._cpu_s[role, process.pid] = cpu.user + cpu.system
        sample = Sample(
            at_s=now_s,
            outputs=self.outputs(),
            cpu_s=self._by_role(),
            private=private,
            mapped=mapped,
            store=disk_mib(self.store),
        )
        self.samples.append(sample)
        return sample

    def _by_role(self) -> dict[str, float]:
        totals: dict[str, float] = {}
        for (role, _), seconds in self._cpu_s.items():
            totals[role] = totals.get(role, 0.0) + seconds
        return totals


def disk_mib(folder: Path) -> float:
    """What the folder's files really take."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()) / MIB


def during(samples: Sequence[Sample], first: int, last: int) -> list[Sample]:
    """The samples from the first that saw `first` outputs to the first that saw `last`."""
    kept = [sample for sample in samples if sample.outputs >= first]
    return [sample for i, sample in enumerate(kept) if i == 0 or kept[i - 1].outputs < last]


def cpu_between(samples: Sequence[Sample]) -> dict[str, float]:
    """Processor seconds of each role between the first and the last sample."""
    first, last = samples[0].cpu_s, samples[-1].cpu_s
    return {role: seconds - first.get(role, 0.0) for role, seconds in last.items()}
