"""An OpenAI-compatible endpoint on loopback that grades by a function, and misbehaves as it is told to."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from training.judging.policy import load_policy

Body = dict[str, Any]
Grade = Callable[[str, Body], int]
KEYS = load_policy().keys


def by_title(query: str, posting: Body) -> int:
    """4 when the title is the search, else 0."""
    return 4 if query == posting["title"] else 0


class ChatServer(ThreadingHTTPServer):
    """`POST /v1/chat/completions`. `script` holds what the next answers are instead of good ones, used up in turn:

    a text as content, a status, `(429, seconds)`, "hang", "break" (closes amid the body) or an answer's whole JSON.
    """

    daemon_threads = True

    def __init__(self, grade: Grade = by_title) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.grade = grade
        self.script: list[Any] = []
        self.refuses_schema = False
        self.key = ""
        self.dead_after = 10**9
        self.requests: list[Body] = []
        self.times: list[float] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def chatting(grade: Grade = by_title) -> Iterator[ChatServer]:
    """A running server."""
    with ChatServer(grade) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield running
        finally:
            running.released.set()
            running.shutdown()


def content(grade: int, **other: int) -> str:
    """A good answer's text."""
    return json.dumps(
        {key: {"rationale": f"because of {key}", "grade": other.get(key, grade)} for key in KEYS}
    )


def completion(text: str | None, finish: str = "stop", **more: Any) -> Body:
    """A chat completion that says `text`."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}} | more
    return {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.requests.append(body)
        server.times.append(time.monotonic())
        if len(server.requests) > server.dead_after:
            self._send(500, {"error": {"message": "the engine died"}})
        elif server.key and self.headers["Authorization"] != f"Bearer {server.key}":
            self._send(401, {"error": {"message": f"wrong key: {self.headers['Authorization']}"}})
        elif self.path != "/v1/chat/completions":
            self._send(404, {"error": {"message": "no such route"}})
        elif server.refuses_schema and "response_format" in body:
            self._send(400, {"error": {"message": "response_format is not supported"}})
        else:
            self._play(server.script.pop(0) if server.script else content(self._graded(body)))

    def _graded(self, body: Body) -> int:
        found = re.fullmatch(r"Search: (.*)\nPosting: (.*)", body["messages"][1]["content"])
        assert found is not None
        return self.server.grade(json.loads(found[1]), json.loads(found[2]))

    def _play(self, part: Any) -> None:
        match part:
            case "hang":
                self.server.released.wait(30)
                self.close_connection = True
            case "break":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [{"mess')
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            case (int() as status, seconds):
                self._send(status, {"error": {"message": "slow down"}}, {"Retry-After": str(seconds)})
            case int() as status:
                self._send(status, {"error": {"message": "no"}})
            case str() as text:
                self._send(200, completion(text))
            case _:
                self._send(200, part)

    def _send(self, status: int, answer: Body, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args
