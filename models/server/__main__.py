"""`python -m models.server`: the server on its own."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from models.server import ServeConfig, serve
from schemas.errors import NearlineError


def main() -> None:
    """Serve what the command line names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(_config(sys.argv[1:]))
    except NearlineError as error:
        sys.exit(f"error: {error}")


def _config(argv: list[str]) -> ServeConfig:
    default = ServeConfig()
    parser = argparse.ArgumentParser(prog="python -m models.server", description=__doc__)
    parser.add_argument("--ranker", type=Path, help="checkpoint directory behind /v1/score")
    parser.add_argument("--summarizer", type=Path, help="checkpoint directory behind /v1/completions")
    parser.add_argument("--instant", action="store_true", help="stand-ins where no directory is given")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer directory of the stand-ins")
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--port", type=int, default=default.port)
    parser.add_argument("--threads", type=int, default=default.threads, help="0: one a core")
    parser.add_argument("--dtype", default=default.dtype, help="auto, float32 or bfloat16")
    parser.add_argument("--device", default=default.device, help="auto, cpu or cuda")
    parser.add_argument("--drain-s", type=int, default=default.drain_s)
    return ServeConfig(**vars(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
