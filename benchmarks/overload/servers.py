"""Model servers in virtual time: workers that take jobs of up to 10 items in the order in which they come.

A job takes as long as the engine of the measured model server took (docs/benchmarks/model-server.json): one of the
measured rounds, drawn at random. A smaller job takes less in proportion to its tokens, the query's included.
"""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.overload.requests import Request

MEASURED = "model-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A measured server: seconds of each round's full request, items and tokens of one."""

    rounds_s: tuple[float, ...]
    items: int
    item_tokens: int
    shared_tokens: int

    @property
    def mean_s(self) -> float:
        """Mean seconds of a full job."""
        return sum(self.rounds_s) / len(self.rounds_s)

    @property
    def items_per_s(self) -> float:
        """Items a second of one worker that gets full jobs."""
        return self.items / self.mean_s

    def job_s(self, items: int, rng: Random) -> float:
        """Seconds of one job."""
        own = self.item_tokens - self.shared_tokens
        share = (self.shared_tokens + own * items) / (self.shared_tokens + own * self.items)
        return share * rng.choice(self.rounds_s)


def measured(folder: Path) -> Speed:
    """The speed in `docs/benchmarks/model-server.json`."""
    data: dict[str, Any] = json.loads((folder / f"{MEASURED}.json").read_text())
    rounds, used = data["tables"]["Rounds"], data["settings"]
    return Speed(
        rounds_s=tuple((one["engine_inside_ms"] + one["server_ms"]) / 1000 for one in rounds),
        items=used["items"],
        item_tokens=used["tokens"],
        shared_tokens=used["shared"],
    )


class Servers:
    """`workers` of one speed behind one queue. A request is done when all of its jobs are."""

    __slots__ = ("_free", "_jobs", "_rng", "busy_online", "speed", "workers")

    def __init__(self, speed: Speed, workers: int, rng: Random) -> None:
        self.speed, self.workers, self._rng = speed, workers, rng
        self._free = workers
        self._jobs: deque[tuple[Request, int]] = deque()
        self.busy_online = 0
        """Workers that compute a job of an online request."""

    def put(self, request: Request) -> None:
        """Queue the jobs of a request."""
        full, rest = divmod(request.candidates, self.speed.items)
        sizes = [self.speed.items] * full + [rest] * bool(rest)
        request.jobs_left = len(sizes)
        self._jobs.extend((request, size) for size in sizes)

    def begin(self) -> tuple[Request, int, float] | None:
        """The next job with its seconds, if a worker is free for it."""
        if not self._free or not self._jobs:
            return None
        self._free -= 1
        request, items = self._jobs.popleft()
        self.busy_online += request.is_online
        return request, items, self.speed.job_s(items, self._rng)

    def end(self, request: Request) -> bool:
        """Free the worker of one of the request's jobs; returns whether the request is done."""
        self._free += 1
        self.busy_online -= request.is_online
        request.jobs_left -= 1
        return not request.jobs_left
