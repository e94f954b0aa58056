"""All contenders of one checkpoint, loaded together: one runs, the others are stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import psutil

from benchmarks.common.report import say
from benchmarks.engine.contenders import Contender
from benchmarks.engine.peers import Setup, contender, worker
from benchmarks.engine.processes import Unavailable
from benchmarks.engine.shapes import parameters
from benchmarks.engine.workload import Request
from models.engine.checkpoint import ModelShape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
TOGETHER = 2
"""How many load at once: most of it is one thread's work."""
PROCESS_GIB = {"vllm": 3.0, "sglang": 3.0, "sglang-noradix": 3.0}
REFERENCE = "hf-single:float32"
"""Each prompt alone through plain transformers: what every answer is compared with."""


class Fleet:
    """A context manager; who cannot start or fails on the way is listed with the reason in `absent`."""

    def __init__(self, setup: Setup, shape: ModelShape, names: Sequence[str]) -> None:
        """`names` may repeat; nothing starts before the `with`."""
        self.setup, self.shape = setup, shape
        self._names = list(dict.fromkeys((REFERENCE, *names)))
        self._started: list[Contender] = []
        self.running: dict[str, Contender] = {}
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.peak = worker("peak", setup, "")

    def __enter__(self) -> Self:
        """Start all, and stop them when they are up."""
        threads = ThreadPoolExecutor(TOGETHER)
        try:
            self.peak.start()
            self.peak.pause()
            list(threads.map(self._start, self._names))
            for one in self.running.values():
                one.pause()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            self.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        """End all."""
        self.stop()

    @contextlib.contextmanager
    def turn(self, name: str) -> Iterator[Contender]:
        """The only one that runs. Whoever raises Unavailable is out of the race."""
        one = self.running[name]
        one.resume()
        try:
            yield one
        except Unavailable as reason:
            self._drop(name, one, str(reason))
        else:
            one.pause()

    def measure_peak(self) -> dict[str, float]:
        """Operations a second of each way to multiply matrices; empty when they cannot be measured."""
        found: dict[str, float] = {}
        with contextlib.suppress(Unavailable):
            self.peak.resume()
            found = self.peak.ask({})
            self.peak.pause()
        return found

    def stop(self) -> None:
        """End all, whatever state they are in."""
        for one in self._started:
            one.stop()
        self.peak.stop()
        self._started = []
        self.running = {}

    def _start(self, name: str) -> None:
        one: Contender | None = None
        try:
            _check_memory(name, self.shape)
            one = contender(name, self.setup)
            self._started.append(one)
            self.versions[name] = one.start()
            one.score([Request(prefix=[11, 12], items=[[13] * 14, [15] * 16])])
        except Unavailable as reason:
            self._drop(name, one, str(reason))
            return
        self.running[name] = one
        say(f"{self.setup.path.name}: {name} is up ({self.versions[name]}), {_free_gib():.1f} GiB free")

    def _drop(self, name: str, one: Contender | None, reason: str) -> None:
        self.absent[name] = reason
        self.running.pop(name, None)
        if one:
            one.stop()
        say(f"{self.setup.path.name}: without {name}: {reason}")


def _check_memory(name: str, shape: ModelShape) -> None:
    """Raise Unavailable rather than let the machine run out of memory in the middle of a run."""
    kind, _, dtype = name.partition(":")
    weights_gib = parameters(shape) * BYTES.get(dtype, 4) / 2**30
    need_gib = PROCESS_GIB.get(kind, 0.8) + 1.6 * weights_gib
    if need_gib + 1.0 > _free_gib():
        raise Unavailable(f"needs about {need_gib:.1f} GiB, {_free_gib():.1f} are free")


def _free_gib() -> float:
    return float(psutil.virtual_memory().available) / 2**30
