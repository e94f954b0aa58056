"""The lines of a text file, plain or gzip: the one opener of JSON Lines in this package."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

_GZIP = b"\x1f\x8b"
"""First bytes of every gzip file, whatever its name."""


def open_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number from 1; a byte order mark at the start is skipped.

    Whether the file is gzip is told by its first two bytes, not by its name. Raises ConfigError naming the last good
    line of a file that breaks off or is not UTF-8 text, OSError for one that cannot be opened.
    """
    with path.open("rb") as file:
        opener = gzip.open if file.read(2) == _GZIP else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged or no UTF-8 text after line {number}: {error}") from error


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's JSON object and where it stands (`FILE, line 1`); ConfigError names a line that holds none."""
    for number, line in open_lines(path):
        where = f"{path}, line {number}"
        yield where, _object(where, line)


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not JSON ({error}); each line is one JSON object") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: not an object; each line is one JSON object")
    return row
