"""A directory that is replaced whole: written beside, made durable, then exchanged in one step."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import ConfigError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to write into, which takes the place of `out` when the block ends well.

    Whatever goes wrong before, `out` stays as it was, and the half-written folder is gone (after a kill: with the
    next call). ConfigError for a full disk or a place that cannot be written, naming `out`.
    """
    beside = out.parent / f".{out.name}.partial"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        yield beside
        _sync(beside)
        _exchange(beside, out)
    except OSError as error:
        kept = "; what stood there is unchanged" if out.exists() else ""
        raise ConfigError(f"cannot write {out}: {error.strerror or error}{kept}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exchange(new: Path, out: Path) -> None:
    """`new` becomes `out`; an older `out` takes the name of `new`. One system call where Linux has it."""
    if not out.exists():
        new.rename(out)
    elif not _exchanged(new, out):
        old = out.parent / f".{out.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        new.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    paths = (os.fsencode(one), os.fsencode(other))
    return call is not None and call(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0
