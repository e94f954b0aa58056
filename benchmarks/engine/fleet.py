"""All contenders of one checkpoint, loaded together; while one of them runs, the others are stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import psutil

from benchmarks.common.report import say
from benchmarks.engine.contenders import Contender
from benchmarks.engine.peers import EngineSetup, contender, worker
from benchmarks.engine.processes import ContenderUnavailable
from benchmarks.engine.shapes import parameters
from benchmarks.engine.workload import Request
from models.engine.checkpoint import ModelShape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
TOGETHER = 2
"""Contenders that load at the same time; loading mostly uses one thread."""
PROCESS_GIB = {"vllm": 3.0, "vllm-avx2": 3.0, "sglang": 3.0, "sglang-noradix": 3.0}
REFERENCE = "hf-single:float32"
"""Plain transformers, prompt by prompt: every answer is compared with its answer."""


class Fleet:
    """The contenders, started and ended together; a context manager.

    `absent` has the reason for each contender that could not start or has failed.
    """

    def __init__(self, setup: EngineSetup, shape: ModelShape, names: Sequence[str]) -> None:
        """Take names, of which some may be repeated; contenders start when the `with` block begins."""
        self.setup, self.shape = setup, shape
        self._names = list(dict.fromkeys((REFERENCE, *names)))
        self._started: list[Contender] = []
        self.running: dict[str, Contender] = {}
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.peak = worker("peak", setup, "")

    def __enter__(self) -> Self:
        """Start all contenders and pause each once it is ready."""
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
        """End all contenders."""
        self.stop()

    @contextlib.contextmanager
    def turn(self, name: str) -> Iterator[Contender]:
        """Let one contender run alone. One that raises ContenderUnavailable is ended and does not run again."""
        one = self.running[name]
        one.resume()
        try:
            yield one
        except ContenderUnavailable as reason:
            self._drop(name, one, str(reason))
        else:
            one.pause()

    def measure_peak(self) -> dict[str, float]:
        """Operations a second of each routine that multiplies matrices; empty when they cannot be measured."""
        found: dict[str, float] = {}
        with contextlib.suppress(ContenderUnavailable):
            self.peak.resume()
            found = self.peak.ask({})
            self.peak.pause()
        return found

    def stop(self) -> None:
        """End all contenders, whatever state they are in."""
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
        except ContenderUnavailable as reason:
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
    """Raise ContenderUnavailable when the memory that is free is not enough for the contender."""
    kind, _, dtype = name.partition(":")
    weights_gib = parameters(shape) * BYTES.get(dtype, 4) / 2**30
    need_gib = PROCESS_GIB.get(kind, 0.8) + 1.6 * weights_gib
    if need_gib + 1.0 > _free_gib():
        raise ContenderUnavailable(f"needs about {need_gib:.1f} GiB, {_free_gib():.1f} are free")


def _free_gib() -> float:
    return float(psutil.virtual_memory().available) / 2**30
