"""Keep other web pages of the same browser away: the page has no login, and a browser reaches it for any of them.

A request must name this machine as its host (a name that resolves to it is no excuse), a request that changes something
must come from the page itself, and the page loads and sends nothing elsewhere.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


class Guard:
    """An ASGI middleware that answers 403 to what the page itself would not send, and adds headers to all answers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = LOOPBACK) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(refusal, 403) if refusal else self._app
        await app(scope, receive, _with_headers(send))

    def _refusal(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        if _hostname(f"//{host}") not in self._hosts:
            return f"this page answers on this machine's own names alone, not on {host[:80]!r}\n"
        origin = headers.get("origin")
        if method not in {"GET", "HEAD"} and (origin is None or urlsplit(origin).netloc != host):
            return "only the page itself may change something\n"
        return ""


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *(one for one in message.get("headers", ()) if one[0] not in _HEADERS),
                *_HEADERS.items(),
            ]
        await send(message)

    return sending
