"""Verdicts that were paid for: an append-only file of JSON Lines, so that a rerun is free and a stop loses nothing."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from schemas.errors import ConfigError
from training.judging.records import Verdict


def cache_key(asked: dict[str, Any]) -> str:
    """SHA-256 over all that the teacher reads: model, policy, search, posting, settings of the request."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def cache_file(folder: Path, name: str) -> Path:
    """The file of one teacher and policy in a folder."""
    return folder / (re.sub(r"[^\w.@+-]+", "-", name) + ".jsonl")


class VerdictCache:
    """Verdicts by key. One process at a time; each line goes to the system whole, so that `kill -9` tears at most the last.

    Only places in the file are held in memory: about 200 bytes a verdict.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file; ConfigError when it cannot be, or when another run has it open."""
        self.path, self.damaged = path, 0
        self._places: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigError(f"the cache {path} cannot be opened: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigError(
                f"the cache {path} is in use by another run: wait for it, or name another --cache"
            ) from error
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Verdict | None:
        """The verdict kept under a key."""
        place = self._places.get(key)
        if place is None:
            return None
        self._file.seek(place)
        row = json.loads(self._file.readline())
        return Verdict(grades=row["grades"], rationale=row["rationale"], evidence=row["evidence"])

    def put(self, key: str, verdict: Verdict, **about: str) -> None:
        """Keep a verdict; `about` is for people who look into the file. ConfigError when the disk is full."""
        row = {
            **about,
            "key": key,
            "grades": verdict.grades,
            "rationale": verdict.rationale,
            "evidence": verdict.evidence,
        }
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            # The line before may be torn: then this one starts after it all the same.
            line = line if self._whole() else b"\n" + line
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"{written} of {len(line)} bytes written")  # noqa: TRY301
        except OSError as error:
            raise ConfigError(
                f"the cache {self.path} cannot be written: {error}; what it holds is whole, make room and run again"
            ) from error
        self._places[key] = self._file.tell() - len(line.lstrip(b"\n"))

    def _whole(self) -> bool:
        """Whether the file ends with a whole line; it is then at its end."""
        if self._file.seek(0, os.SEEK_END) == 0:
            return True
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"

    def _read(self) -> None:
        place = 0
        with self.path.open("rb") as lines:
            for line in lines:
                key = _key_of(line)
                if key:
                    self._places[key] = place
                elif line.strip():
                    self.damaged += 1
                place += len(line)


def _key_of(line: bytes) -> str | None:
    """The key of a whole row, else None."""
    try:
        row = json.loads(line)
        whole = (
            isinstance(row["grades"], dict)
            and isinstance(row["rationale"], str)
            and isinstance(row["evidence"], dict)
        )
        return str(row["key"]) if whole else None
    except (ValueError, TypeError, KeyError):
        return None
