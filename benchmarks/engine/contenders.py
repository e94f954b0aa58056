"""The seam between what is measured and what measures: requests in, the first label's probabilities out."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Protocol, cast

from benchmarks.engine.processes import Group, Unavailable
from benchmarks.engine.workload import Request

ANSWER_S = 240.0


class Contender(Protocol):
    """One engine in one dtype. It is paused whenever another is measured."""

    def start(self) -> str:
        """Load; returns the versions that answer. Raises Unavailable."""
        ...

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        """For each request, asked all at once, the first label's share of each item. Raises Unavailable."""
        ...

    def pause(self) -> None:
        """Use no processor time until `resume`."""
        ...

    def resume(self) -> None:
        """Be ready to score."""
        ...

    def stop(self) -> None:
        """Free everything."""
        ...


class Worker:
    """A module of `benchmarks.engine.workers` in a process of its own, which answers any question that is JSON."""

    def __init__(
        self, python: Path, module: str, settings: dict[str, Any], env: dict[str, str], log: Path
    ) -> None:
        self._command = [
            str(python),
            "-m",
            f"benchmarks.engine.workers.{module}",
            json.dumps(settings, default=str),
        ]
        self._env, self._log = env, log
        self._group: Group | None = None
        self._note = ""
        self._starting = threading.Lock()

    def start(self) -> str:
        """Start the process once, for whichever mode asks first; returns the versions that answer."""
        with self._starting:
            if not self._group:
                self._group = Group(self._command, self._env, self._log, piped=True)
                self._note = str(self._read())
        return self._note

    def ask(self, question: dict[str, Any]) -> Any:
        """The answer to one question; raises Unavailable when it fails or takes too long."""
        pipe = cast("IO[str]", self._running().process.stdin)
        try:
            pipe.write(json.dumps(question) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise Unavailable(self._running().last_words()) from None
        return self._read()

    def pause(self) -> None:
        """Use no processor time until `resume`."""
        self._running().pause()

    def resume(self) -> None:
        """Be ready to answer again."""
        self._running().resume()

    def stop(self) -> None:
        """End the process, if it was started."""
        group, self._group = self._group, None
        if group:
            group.stop()

    def _running(self) -> Group:
        if not self._group:
            raise Unavailable("not started")
        return self._group

    def _read(self) -> Any:
        group = self._running()
        pipe = cast("IO[str]", group.process.stdout)
        ready, _, _ = select.select([pipe], [], [], ANSWER_S)
        line = pipe.readline() if ready else ""
        if not line:
            raise Unavailable(group.last_words() if ready else f"no answer in {ANSWER_S:.0f} s")
        answer = json.loads(line)
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer["answer"]


class InProcess:
    """A worker asked to score in one mode."""

    def __init__(self, worker: Worker, mode: str) -> None:
        self._worker, self._mode = worker, mode
        self.start, self.pause, self.resume, self.stop = (
            worker.start,
            worker.pause,
            worker.resume,
            worker.stop,
        )

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        """For each request the scores that the worker gives it in this mode."""
        question = {"mode": self._mode, "requests": [asdict(request) for request in requests]}
        scores: list[list[float]] = self._worker.ask(question)
        return scores
