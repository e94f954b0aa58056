"""A ranker and a summarizer behind the routes of SGLang: `serve(config)`, or `python -m models.server`."""

from models.server.config import Limits, ServeConfig
from models.server.run import serve

__all__ = ["Limits", "ServeConfig", "serve"]
