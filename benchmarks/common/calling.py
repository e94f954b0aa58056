"""A plain HTTP client on connections that stay open, which takes far less processor time than the servers it calls."""

from __future__ import annotations

import asyncio
from typing import Self

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Caller:
    """Posts bodies to one route; an async context manager."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        """Open nothing yet: connections are opened when they are needed."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the idle connections; those of cancelled calls are closed already."""
        for _, writer in self._idle:
            writer.close()

    async def post(self, body: bytes) -> int:
        """Post a body and return the answer's status once the whole answer has arrived. Raises OSError or EOFError."""
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    async def _connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port)


def _length(head: bytes) -> int:
    """The announced length of the body; raises OSError for an answer in chunks."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise OSError("an answer without its length")
