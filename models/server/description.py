"""`python -m models.server.description`: the OpenAPI description of the model server's routes, without a server.

`docs/openapi.json` is its output, kept in the repository for clients that are generated from it (`make openapi`).
"""

import json
import sys

from models.server.app import create_app
from models.server.config import Limits
from models.server.service import ServedModels


def description() -> str:
    """What `/openapi.json` answers, as indented JSON; the same whatever is served."""
    return json.dumps(create_app(ServedModels(), Limits()).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
