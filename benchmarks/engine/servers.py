"""Contenders behind HTTP: how a server is started and asked for the scores of token ids."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from typing_extensions import override

from benchmarks.engine.contenders import ANSWER_S, Contender
from benchmarks.engine.processes import ContenderUnavailable, Group
from benchmarks.engine.workload import LABELS, Request
from nearline.stack.tools import listening

START_S = 300.0
MODEL = "default"
"""The model's name at every server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The route for scores, and how the first label's probabilities are read from its answer."""

    path: str
    read: Callable[[Any], list[float]]
    health: str = "/health"

    def body(self, request: Request) -> bytes:
        """The JSON body of a request; its names are the same at all three servers."""
        return orjson.dumps(
            {
                "query": request.prefix,
                "items": request.items,
                "label_token_ids": list(LABELS),
                "apply_softmax": True,
                "item_first": False,
                "model": MODEL,
            }
        )


SCORE = Route(path="/v1/score", read=lambda answer: [row[0] for row in answer["scores"]])
GENERATIVE_SCORING = Route(
    path="/generative_scoring", read=lambda answer: [item["score"] for item in answer["data"]]
)


_PORTS = iter(range(21_000, 23_000))
"""Ports below those of outgoing connections; each is tried once, so that servers can start at the same time."""


def free_port() -> int:
    """A port that no process listens on; ContenderUnavailable when all were tried."""
    for port in _PORTS:
        if not listening(port):
            return port
    raise ContenderUnavailable("no free port")


class Server(Contender):
    """An engine behind HTTP, started by `command`, in which `{port}` stands for its port."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], route: Route, log: Path, version: str
    ) -> None:
        self.route, self.port = route, 0
        self._command, self._env, self._log, self._version = command, env, log, version
        self._group: Group | None = None

    @override
    def start(self) -> str:
        """Start the command on a free port and wait until it answers that it is healthy, START_S at most."""
        self.port = free_port()
        command = [part.replace("{port}", str(self.port)) for part in self._command]
        try:
            self._group = Group(command, self._env, self._log, piped=False)
        except OSError as error:
            raise ContenderUnavailable(f"{command[0]} does not run: {error.strerror}") from None
        self._await_health()
        return self._version

    @override
    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        """Send each request from a thread and over a connection of its own."""
        bodies = [self.route.body(request) for request in requests]
        with ThreadPoolExecutor(len(bodies)) as threads:
            return [self.route.read(answer) for answer in threads.map(self._post, bodies)]

    @override
    def pause(self) -> None:
        """Send SIGSTOP to the process group; the model stays in memory. Raises ContenderUnavailable if not started."""
        self._running().pause()

    @override
    def resume(self) -> None:
        """Send SIGCONT to the process group. Raises ContenderUnavailable if not started."""
        self._running().resume()

    @override
    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL after 10 s at most, to descendants too; does nothing if not started."""
        group, self._group = self._group, None
        if group:
            group.stop()

    def _running(self) -> Group:
        if not self._group:
            raise ContenderUnavailable("not started")
        return self._group

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not self._running().alive:
                raise ContenderUnavailable(self._running().last_line())
            try:
                if self._exchange("GET", self.route.health, None, 10.0)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise ContenderUnavailable(f"not healthy after {START_S:.0f} s")

    def _post(self, body: bytes) -> Any:
        try:
            status, answer = self._exchange("POST", self.route.path, body, ANSWER_S)
        except OSError as error:
            raise ContenderUnavailable(f"no answer: {error}") from None
        if status != 200:
            raise ContenderUnavailable(f"status {status}: {answer[:200].decode(errors='replace')}")
        return orjson.loads(answer)

    def _exchange(self, method: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
