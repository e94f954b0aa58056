"""Write a file or a directory whole or not at all.

New content is written beside its target, flushed to disk and renamed into the target's place, so that a reader finds
the old content or the new and never a part, and an error or a crash leaves the old content as it was. A disk without
room is StoreFull, any other place that cannot be written is ConfigError; both name the target and say what to do.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import ConfigError, StoreFull

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None}
"""Without a number an error comes from a library that found less in the file than it had written."""


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield an empty directory to fill; it takes the place of the directory `target` when the block ends well.

    What a killed process left half-written is removed by the next call.
    """
    partial = _beside(target, "partial")
    with _named(target):
        recover(target)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            yield partial
            _flush([*partial.rglob("*"), partial])
            _exchange(partial, target)
            _flush([target.parent])
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            recover(target)


@contextmanager
def replacing_file(target: Path, *, concurrent: bool = False, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write; that file takes the place of `target` when the block ends well.

    `concurrent`: several processes may write this target at once, so each writes under a name of its own; a kill
    then leaves its file behind. `durable=False` saves the flush for a file that means nothing after a power cut.
    """
    partial = _beside(target, f"{os.getpid()}.partial" if concurrent else "partial")
    with _named(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if durable:
                _flush([partial])
            partial.replace(target)
            if durable:
                _flush([target.parent])
        finally:
            partial.unlink(missing_ok=True)


def write_whole(
    target: Path,
    data: str | bytes,
    *,
    concurrent: bool = False,
    durable: bool = True,
    write: Callable[[Path, bytes], object] = Path.write_bytes,
) -> None:
    """Write one file, text as UTF-8; see `replacing_file`."""
    with replacing_file(target, concurrent=concurrent, durable=durable) as partial:
        write(partial, data.encode() if isinstance(data, str) else data)


def copy_directory(source: Path, target: Path) -> None:
    """Put a copy of the directory `source` in the place of `target`."""
    with replacing(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)


def remove_directory(directory: Path) -> None:
    """Remove a directory; it is renamed first, so that a kill leaves no part of it under its own name."""
    going = _beside(directory, "going")
    directory.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def recover(target: Path) -> None:
    """Bring `target` back if a process was killed between the two renames that replace it."""
    before = _beside(target, "before")
    if before.exists() and not target.exists():
        before.rename(target)
    shutil.rmtree(before, ignore_errors=True)


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{target.name}.{ending}")


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Raise the project's error for an OSError."""
    try:
        yield
    except OSError as error:
        said = f"cannot write {target}: {error.strerror or error}"
        if error.errno in _NO_ROOM:
            raise StoreFull(f"{said}; make room there and run again, what stood there is intact") from error
        raise ConfigError(f"{said}; what stood there is intact") from error


def _flush(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exchange(new: Path, target: Path) -> None:
    """Rename `new` to `target`; by one system call that swaps the two where Linux and the file system have it."""
    if not target.exists():
        new.rename(target)
    elif not _swapped(new, target):
        target.rename(_beside(target, "before"))
        new.rename(target)


def _swapped(one: Path, other: Path) -> bool:
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    paths = (os.fsencode(one), os.fsencode(other))
    return call is not None and call(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0
