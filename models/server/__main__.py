"""`python -m models.server`: the server on its own."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace

from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import kernel_choice
from models.server import ServeConfig, serve
from schemas import arguments
from schemas.errors import NearlineError, exit_status


def main() -> None:
    """Serve what the command line names; an error is one line and exit status 2 for a wrong setting, else 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = arguments.parse(ServeConfig, None, prog="python -m models.server", description=__doc__)
        kernels = kernel_choice(os.environ)
        serve(replace(config, kernel_cache=kernel_cache(os.environ), kernels=kernels))
    except NearlineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(exit_status(error))


if __name__ == "__main__":
    main()
