"""`python -m models.server`: the server on its own."""

from __future__ import annotations

import logging
import sys

from models.server import ServeConfig, serve
from schemas import arguments
from schemas.errors import NearlineError


def main() -> None:
    """Serve what the command line names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(arguments.parse(ServeConfig, None, prog="python -m models.server", description=__doc__))
    except NearlineError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
