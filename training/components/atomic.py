"""Files and directories that are whole or not there: written beside, flushed, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from schemas.errors import StoreFull

Fill = Callable[[Path], object]


def write_directory(target: Path, fill: Fill) -> None:
    """Let `fill` write into a new directory, then put it in `target`'s place.

    When that fails, `target` is as it was and nothing is left beside it. Raises StoreFull naming the directory.
    """
    beside, before = target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.before")
    recover(target)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        fill(beside)
        _flush(beside)
        if target.exists():
            target.rename(before)
        beside.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        recover(target)
        msg = f"cannot write {target}: {error}; what was written before it is intact"
        raise StoreFull(msg) from error
    shutil.rmtree(before, ignore_errors=True)


def copy_directory(source: Path, target: Path) -> None:
    """A copy of a directory in `target`'s place; raises StoreFull as `write_directory`."""
    write_directory(target, lambda beside: shutil.copytree(source, beside, dirs_exist_ok=True))


def recover(target: Path) -> None:
    """Bring back what a kill between the two renames left beside `target`."""
    before = target.with_name(f".{target.name}.before")
    if before.exists() and not target.exists():
        before.rename(target)
    shutil.rmtree(before, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """One file, whole or as it was; raises StoreFull naming it."""
    beside = target.with_name(f".{target.name}.partial")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        msg = f"cannot write {target}: {error}"
        raise StoreFull(msg) from error


def _flush(directory: Path) -> None:
    for path in [*directory.rglob("*"), directory]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(directory: Path) -> None:
    """Take a directory away under a name that no reader looks for, so that a kill leaves no half of it."""
    going = directory.with_name(f".{directory.name}.going")
    directory.rename(going)
    shutil.rmtree(going, ignore_errors=True)
