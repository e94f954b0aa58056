"""Confluent's schema registry protocol over a MemoryRegistry on loopback, as our client and any other calls it."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from schemas.errors import DecodeError, IncompatibleSchema
from schemas.registry import MemoryRegistry

Answer = tuple[int, dict[str, object]]
NOT_FOUND = {"error_code": 404, "message": "HTTP 404 Not Found"}


class RegistryServer(ThreadingHTTPServer):
    """`POST /subjects/S` (look up), `POST /subjects/S/versions` (register), `GET /schemas/ids/N`.

    `failures` answers 503 that many times, `extra` is merged into found schemas, `auth` (`user:password`) is asked for,
    `read_only` forbids registering.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = MemoryRegistry()
        self.calls: list[str] = []
        self.failures = 0
        self.extra: dict[str, object] = {}
        self.auth = ""
        self.read_only = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving() -> Iterator[RegistryServer]:
    """A running server."""
    with RegistryServer() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: RegistryServer

    def do_GET(self) -> None:
        self._send(*self._answer())

    def do_POST(self) -> None:
        self._send(*self._answer())

    def _answer(self) -> Answer:
        self.server.calls.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.failures:
            self.server.failures -= 1
            return 503, {"error_code": 503, "message": "starting"}
        if self.server.auth and self.headers["Authorization"] != _basic(self.server.auth):
            return 401, {"error_code": 401, "message": "Unauthorized"}
        path = urlsplit(self.path).path
        match [self.command, *(unquote(part) for part in path.strip("/").split("/"))]:
            case ["GET", "schemas", "ids", schema_id]:
                return self._schema(int(schema_id))
            case ["POST", "subjects", subject]:
                return self._look_up(subject, json.loads(body)["schema"])
            case ["POST", "subjects", subject, "versions"]:
                return self._register(subject, json.loads(body)["schema"])
        return 404, NOT_FOUND

    def _schema(self, schema_id: int) -> Answer:
        try:
            return 200, {"schema": self.server.registry.schema_text(schema_id), **self.server.extra}
        except DecodeError as error:
            return 404, {"error_code": 40403, "message": str(error)}

    def _look_up(self, subject: str, text: str) -> Answer:
        registry = self.server.registry
        if subject not in registry.subjects():
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        schema_id = registry.lookup(subject, text)
        if schema_id is None:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"subject": subject, "id": schema_id, "version": 1, "schema": text}

    def _register(self, subject: str, text: str) -> Answer:
        if self.server.read_only:
            return 403, {"error_code": 40301, "message": "User is denied operation Write"}
        try:
            return 200, {"id": self.server.registry.register(subject, text)}
        except IncompatibleSchema as error:
            return 409, {"error_code": 409, "message": str(error)}

    def _send(self, status: int, answer: dict[str, object]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


def _basic(auth: str) -> str:
    return "Basic " + b64encode(auth.encode()).decode()
