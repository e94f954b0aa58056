"""The protocol of every engine that is compared: requests in, probabilities of the first label out."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Protocol, cast

from benchmarks.engine.processes import ContenderUnavailable, Group
from benchmarks.engine.workload import Request

ANSWER_S = 240.0


class Contender(Protocol):
    """One engine in one dtype; it is paused while another one is measured."""

    def start(self) -> str:
        """Load the model and return the versions of the software. Raises ContenderUnavailable."""
        ...

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        """Ask all requests at once; the answer is the first label's probability for each item of each request.

        Raises ContenderUnavailable.
        """
        ...

    def pause(self) -> None:
        """Use no processor time until `resume`."""
        ...

    def resume(self) -> None:
        """Use processor time again."""
        ...

    def stop(self) -> None:
        """End the contender's processes."""
        ...


class Worker:
    """A module of `benchmarks.engine.workers` as a process, which answers questions in JSON."""

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
        """Start the process, once for all modes; returns the versions of the software."""
        with self._starting:
            if not self._group:
                self._group = Group(self._command, self._env, self._log, piped=True)
                self._note = str(self._read())
        return self._note

    def ask(self, question: dict[str, Any]) -> Any:
        """Ask one question and return the answer; ContenderUnavailable when that fails or takes too long."""
        pipe = cast("IO[str]", self._running().process.stdin)
        try:
            pipe.write(json.dumps(question) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise ContenderUnavailable(self._running().last_line()) from None
        return self._read()

    def pause(self) -> None:
        """Use no processor time until `resume`."""
        self._running().pause()

    def resume(self) -> None:
        """Use processor time again."""
        self._running().resume()

    def stop(self) -> None:
        """End the process if it was started."""
        group, self._group = self._group, None
        if group:
            group.stop()

    def _running(self) -> Group:
        if not self._group:
            raise ContenderUnavailable("not started")
        return self._group

    def _read(self) -> Any:
        group = self._running()
        pipe = cast("IO[str]", group.process.stdout)
        ready, _, _ = select.select([pipe], [], [], ANSWER_S)
        line = pipe.readline() if ready else ""
        if not line:
            raise ContenderUnavailable(group.last_line() if ready else f"no answer in {ANSWER_S:.0f} s")
        answer = json.loads(line)
        if "error" in answer:
            raise ContenderUnavailable(answer["error"])
        return answer["answer"]


class WorkerContender:
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
