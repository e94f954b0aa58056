"""Serve the page on this machine until SIGTERM."""

import uvicorn
from fastapi import FastAPI

CLOSE_S = 1
"""Browsers hold their streams open for ever, and connect again by themselves."""


def serve(app: FastAPI, port: int) -> None:
    """Listen on loopback alone: the page has no login, and shows texts of postings and searches."""
    settings = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="critical",
        timeout_graceful_shutdown=CLOSE_S,
        lifespan="on",
    )
    uvicorn.Server(settings).run()
