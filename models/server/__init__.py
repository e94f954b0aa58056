"""Model server: a ranker and a summarizer behind SGLang's routes; `serve(config)`, or `python -m models.server`."""

from models.server.config import Limits, ServeConfig


def serve(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests begun; raises ConfigError before it listens."""
    from models.server.run import run  # a command line that serves nothing stays quick

    run(config)


__all__ = ["Limits", "ServeConfig", "serve"]
