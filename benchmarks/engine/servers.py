"""Contenders behind HTTP: a server's start, and its way to be asked for scores of ids."""

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
from benchmarks.engine.processes import Group, Unavailable
from benchmarks.engine.workload import LABELS, Request
from nearline.stack.tools import listening

START_S = 300.0
MODEL = "default"
"""The name that every server answers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where scores are asked, and how the first label's probabilities are read from the answer."""

    path: str
    read: Callable[[Any], list[float]]
    health: str = "/health"

    def body(self, request: Request) -> bytes:
        """One request as JSON; the three servers share its names."""
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
"""Below those that systems hand out; each is tried once, so that servers may start together."""


def free_port() -> int:
    """A port that nobody listens on; raises Unavailable when all were tried."""
    for port in _PORTS:
        if not listening(port):
            return port
    raise Unavailable("no free port")


class Server(Contender):
    """An engine behind HTTP, started by `command`, which may say `{port}`."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], route: Route, log: Path, version: str
    ) -> None:
        self.route, self.port = route, 0
        self._command, self._env, self._log, self._version = command, env, log, version
        self._group: Group | None = None

    @override
    def start(self) -> str:
        self.port = free_port()
        command = [part.replace("{port}", str(self.port)) for part in self._command]
        try:
            self._group = Group(command, self._env, self._log, piped=False)
        except OSError as error:
            raise Unavailable(f"{command[0]} does not run: {error.strerror}") from None
        self._await_health()
        return self._version

    @override
    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        bodies = [self.route.body(request) for request in requests]
        with ThreadPoolExecutor(len(bodies)) as threads:
            return [self.route.read(answer) for answer in threads.map(self._post, bodies)]

    @override
    def pause(self) -> None:
        self._running().pause()

    @override
    def resume(self) -> None:
        self._running().resume()

    @override
    def stop(self) -> None:
        group, self._group = self._group, None
        if group:
            group.stop()

    def _running(self) -> Group:
        if not self._group:
            raise Unavailable("not started")
        return self._group

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not self._running().alive:
                raise Unavailable(self._running().last_words())
            try:
                if self._exchange("GET", self.route.health, None, 10.0)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise Unavailable(f"not healthy after {START_S:.0f} s")

    def _post(self, body: bytes) -> Any:
        try:
            status, answer = self._exchange("POST", self.route.path, body, ANSWER_S)
        except OSError as error:
            raise Unavailable(f"no answer: {error}") from None
        if status != 200:
            raise Unavailable(f"status {status}: {answer[:200].decode(errors='replace')}")
        return orjson.loads(answer)

    def _exchange(self, method: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
