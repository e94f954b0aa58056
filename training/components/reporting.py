"""How a long run tells what it is doing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.errors import NearlineError, exit_status

Log = Callable[[str], None]
"""Called with one line of progress at a time."""


def to_stderr(line: str) -> None:
    """Write a line of progress where results do not go."""
    sys.stderr.write(f"{line}\n")


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the program by an error of this project's with one line and its exit status, in place of a traceback."""
    try:
        yield
    except NearlineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(exit_status(error))
