"""Serve a web application from a thread, beside the loop of a Kafka process."""

import threading
import time

import uvicorn
from fastapi import FastAPI

from schemas.errors import ConfigError

#: How long a start and an end may take.
START_S, END_S = 10.0, 10.0


class Served:
    """An application that answers on one address until it is closed."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Listen; ConfigError for an address that cannot be taken."""
        config = uvicorn.Config(
            app, host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=5
        )
        try:
            listening = config.bind_socket()
        except SystemExit as error:
            raise ConfigError(
                f"--port {port} on {host}: the address cannot be taken, another process has it"
            ) from error
        self.port: int = listening.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="search-http", daemon=True
        )
        self._thread.start()
        self._await_start()

    def close(self) -> None:
        """Finish the answers that have begun, and stop listening."""
        self._server.should_exit = True
        self._thread.join(END_S)

    def _await_start(self) -> None:
        until = time.monotonic() + START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
