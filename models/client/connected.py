"""What every model behind a URL shares: its client, for callers that are not asynchronous and may be forked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from models.client.background_loop import BackgroundLoop
from models.client.http import ModelClient


class Connected:
    """Has a `ModelClient` on a background loop, another one in each process that uses it."""

    def __init__(self, make: Callable[[], ModelClient]) -> None:
        self._make = make
        self._loop = BackgroundLoop()
        self._clients: dict[asyncio.AbstractEventLoop, ModelClient] = {}

    def close(self) -> None:
        """Close the connections and stop the loop; the next call opens them again."""
        self._loop.run(self._close())
        self._loop.close()

    async def _close(self) -> None:
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client:
            await client.close()

    def _client(self) -> ModelClient:
        """Return the client of this process's loop; a forked child drops its parent's, whose loop does not run here."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {loop: self._make()}
        return self._clients[loop]
