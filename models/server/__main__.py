"""`python -m models.server`: the server on its own."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from models.server import Limits, ServeConfig, serve
from schemas.errors import NearlineError

LIMITS = {
    "body_bytes": "bytes of its body: more is answered 413",
    "items": "items or prompts",
    "request_tokens": "tokens, the query counted once",
    "labels": "labels of one item",
    "deadline_s": "seconds that it may take, whatever its x-deadline-ms says",
    "bodies_bytes": "bytes of all bodies that are being read at once: more is answered 503",
}
"""The fields of `Limits`, and what each one bounds."""


def main() -> None:
    """Serve what the command line names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(_config(sys.argv[1:]))
    except NearlineError as error:
        sys.exit(f"error: {error}")


def _config(argv: list[str]) -> ServeConfig:
    """Raise ConfigError for a limit that allows nothing."""
    default, batching = ServeConfig(), ServeConfig().ranker_batching
    parser = argparse.ArgumentParser(
        prog="python -m models.server",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--ranker", type=Path, help="checkpoint directory behind /v1/score")
    add("--summarizer", type=Path, help="checkpoint directory behind /v1/completions")
    add("--instant", action="store_true", help="stand-ins where no directory is given")
    add("--tokenizer", type=Path, help="tokenizer directory of the stand-ins")
    add("--host", default=default.host, help="address to listen on")
    add("--port", type=int, default=default.port, help="port to listen on")
    add("--threads", type=int, default=default.threads, help="processor threads of a model, 0: one a core")
    add("--dtype", default=default.dtype, help="auto, float32, bfloat16 or int8")
    add("--device", default=default.device, help="auto, cpu or cuda")
    add("--drain-s", type=int, default=default.drain_s, help="how long requests in hand may take at the end")
    add("--batch-tokens", type=int, default=batching.batch_tokens, help="tokens of one batch of the ranker")
    add("--queue-tokens", type=int, default=batching.queue_tokens, help="tokens that may wait for the ranker")
    limits = parser.add_argument_group("limits of one request")
    for name, what in LIMITS.items():
        value = getattr(default.limits, name)
        limits.add_argument(f"--max-{name.replace('_', '-')}", type=type(value), default=value, help=what)
    given = vars(parser.parse_args(argv))
    batch = replace(batching, batch_tokens=given.pop("batch_tokens"), queue_tokens=given.pop("queue_tokens"))
    allowed = Limits(**{name: given.pop(f"max_{name}") for name in LIMITS})
    return ServeConfig(**given, ranker_batching=batch, limits=allowed)


if __name__ == "__main__":
    main()
