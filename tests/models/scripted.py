"""A model server that answers as a test tells it to."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from models.client.http import ClientConfig
from models.prompts import Item, Prompter
from tests.support.tiny import byte_level_tokenizer

PROMPTER = Prompter(byte_level_tokenizer())
FAST = ClientConfig(backoff_s=0.01, backoff_max_s=0.05, attempt_s=2.0, name_ttl_s=60.0)
POISON = "poison"

Reply = Response | float | dict[str, Any]
"""A response, a wait in seconds before the good answer, or changes to the good answer."""


@dataclass
class Scripted:
    """A model server that gives the listed replies to a route first, then good ones, and keeps what it saw."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    seen: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    names: tuple[str, ...] = ("ranker@4", "summarizer@7")
    hurt_by: Callable[[Any], Reply | None] = lambda _: None
    max_model_len: int = 2048
    healthy: bool = True
    stall_s: tuple[float, float] = (0.0, 0.0)
    running: int = 0
    most_running: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/{path:path}", self.answer, methods=["GET", "POST"])
        return app

    async def answer(self, request: Request) -> Response:
        route = request.url.path
        body = await request.json() if request.method == "POST" else None
        self.seen.append((route, body, dict(request.headers)))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            now = time.monotonic()
            if self.stall_s[0] < now < self.stall_s[1]:
                await asyncio.sleep(self.stall_s[1] - now)
            script = self.replies.get(route, [])
            reply = script.pop(0) if script else (self.hurt_by(body) if body else None)
            if isinstance(reply, Response):
                return reply
            if isinstance(reply, float):
                await asyncio.sleep(reply)
            good = self.good(route, body)
            return good if not isinstance(reply, dict) else JSONResponse({**good_body(good), **reply})
        finally:
            self.running -= 1

    def good(self, route: str, body: Any) -> Response:
        if route == "/health":
            return Response(status_code=200 if self.healthy else 503)
        if route == "/v1/models":
            cards = [{"id": name, "max_model_len": self.max_model_len} for name in self.names]
            return JSONResponse({"data": cards})
        if route == "/v1/score":
            rows = [[0.25, 0.75] for _ in body["items"]]
            return JSONResponse({"scores": rows, "model": body["model"]})
        usage = {"completion_tokens": 3}
        return JSONResponse(
            {"choices": [{"text": " a short summary "}], "usage": usage, "model": body["model"]}
        )

    def count(self, route: str) -> int:
        return sum(seen == route for seen, _, _ in self.seen)


def good_body(response: Response) -> dict[str, Any]:

    return dict(json.loads(bytes(response.body)))


def status(code: int, **headers: str) -> Response:
    message = {"object": "error", "message": f"status {code}", "type": "x", "code": code}
    return JSONResponse(message, code, {name.replace("_", "-"): value for name, value in headers.items()})


def is_poison(body: Any) -> bool:
    """Whether the prompt holds the word `poison`."""
    ids = body.get("prompt") or [id_ for item in body["items"] for id_ in item]
    return POISON in PROMPTER._tokenizer.decode(ids)


def item(text: str) -> Item:
    return Item(title=text, company=None, location=None, employment_type=None, remote=None, text="")


def items(count: int) -> list[Item]:
    return [item(f"posting {i}") for i in range(count)]
