"""Look at an LMDB file before it is mapped: LMDB itself ends the process (SIGBUS, an assertion) when it is damaged.

The file is read with `pread`, never mapped. The layout is that of LMDB's data version 1 (`lmdb.h`, `mdb.c`): two meta
pages, of which the one with the higher transaction is the newest, and B-trees of pages below it.
"""

import errno
import os
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigError, StoreDamaged, StoreUnavailable

FILE = "data.mdb"
#: What to do without the right to open a store.
OWNERS = "start this as the user who owns the store, or let this user read and write it"
MAGIC, DATA_VERSION = 0xBEEFC0DE, 1
NONE = 2**64 - 1  # a tree without pages
_PAGE = struct.Struct("<QHHHH")  # number, pad, flags, lower, upper
_META = struct.Struct("<IIQQ")  # magic, version, address, map size
_DB = struct.Struct(
    "<IHHQQQQQ"
)  # pad (page size in the first), flags, depth, pages of three kinds, entries, root
_LAST = struct.Struct("<QQ")  # last page, transaction
_NODE = struct.Struct("<HHHH")  # low and high half of size or page number, flags, size of the key
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_BIG, _SUB, _DUPLICATES = 1, 2, 4
#: Pages of the trees that are looked at on opening, beginning at the roots: a tenth of a second.
PAGES_LOOKED_AT = 2_000
#: How often a look begins anew because a writer commits meanwhile; a store that commits is not damaged at its root.
TRIES = 5
#: How long a file without content may be one that another process is just making.
EMPTY_S = 1.0


@dataclass(frozen=True, slots=True)
class Meta:
    """The newest meta page: page size, last page that was ever used, transaction, and the roots of both trees."""

    page_bytes: int
    last_page: int
    transaction: int
    roots: tuple[int, int]


class _Damage(Exception):
    """What is wrong with the pages."""


def check(directory: Path, sleep: Callable[[float], object] = time.sleep) -> None:
    """Raise StoreDamaged for a file that LMDB must not open, ConfigError for what is no store's directory.

    Nothing is raised for a directory without a file yet. StoreUnavailable without the right to read.
    """
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory} is a file, but an LMDB store is a directory: give another path")
    path = directory / FILE
    try:
        _check_kind(path)
        with path.open("rb") as file:
            _check_file(path, file.fileno(), sleep)
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise StoreUnavailable(
            f"{error.filename or path}: {os.strerror(error.errno or errno.EACCES)}: {OWNERS}"
        ) from error


def damaged(path: Path, what: str) -> StoreDamaged:
    """The error that names the file and says what to do."""
    return StoreDamaged(
        f"{path} is no usable LMDB file: {what}. Restore it from a copy, or move it away and fill a new store (backfill)"
    )


def _check_kind(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ConfigError(f"{path} is not a file, so its directory is no LMDB store: give another path")


def _check_file(path: Path, file: int, sleep: Callable[[float], object]) -> None:
    if os.fstat(file).st_size == 0:
        sleep(EMPTY_S)  # another process may be about to write the first pages
    if os.fstat(file).st_size == 0:
        raise damaged(path, "it is empty")
    for _ in range(TRIES):
        meta = _newest_meta(path, file)
        if meta is None:
            return
        found = _look(file, meta)
        if found is None:
            return
        if _newest_meta(path, file) == meta:
            raise damaged(path, found)


def _newest_meta(path: Path, file: int) -> Meta | None:
    """The meta page that LMDB would use; None for a version of the format that this module does not know."""
    first = _meta(os.pread(file, 4096, 0))
    if first is None:
        raise damaged(path, "it does not begin as LMDB's files do")
    if isinstance(first, int):
        return None
    second = _meta(os.pread(file, 4096, first.page_bytes))
    if not isinstance(second, Meta):
        raise damaged(path, "its second page is missing or damaged")
    return max(first, second, key=lambda meta: meta.transaction)


def _meta(page: bytes) -> Meta | int | None:
    """A meta page; an unknown version's number; None for anything else."""
    start = _PAGE.size
    if len(page) < start + _META.size + 2 * _DB.size + _LAST.size:
        return None
    magic, version, _, _ = _META.unpack_from(page, start)
    if magic != MAGIC or not _PAGE.unpack_from(page)[2] & _META_PAGE:
        return None
    if version != DATA_VERSION:
        return int(version)
    free, main = (_DB.unpack_from(page, start + _META.size + n * _DB.size) for n in range(2))
    last, transaction = _LAST.unpack_from(page, start + _META.size + 2 * _DB.size)
    if not 512 <= free[0] <= 65_536 or free[0] & (free[0] - 1):
        return None
    return Meta(free[0], last, transaction, (free[-1], main[-1]))


def _look(file: int, meta: Meta) -> str | None:
    """What is wrong with the trees; None if nothing is.

    All of a file that is shorter than its pages is looked at, because pages at its end may never have been written.
    """
    pages = os.fstat(file).st_size // meta.page_bytes
    left = PAGES_LOOKED_AT if pages > meta.last_page else meta.last_page + 1
    waiting, seen = [root for root in meta.roots if root != NONE], 0
    try:
        while waiting and seen < left:
            following = list[int]()
            for number in waiting[: left - seen]:
                following += _children(file, meta, number, pages)
            seen += len(waiting)
            waiting = following
    except _Damage as damage:
        return str(damage)
    return None


def _children(file: int, meta: Meta, number: int, pages: int) -> list[int]:
    """The pages below a page of a tree."""
    page = _read(file, meta, number, pages)
    _, _, flags, lower, upper = _PAGE.unpack_from(page)
    if not _PAGE.size <= lower <= upper <= meta.page_bytes or not flags & (_BRANCH | _LEAF):
        raise _Damage(f"page {number} is damaged")
    offsets = struct.unpack_from(f"<{(lower - _PAGE.size) // 2}H", page, _PAGE.size)
    try:
        found = [_below(page, offset, flags) for offset in offsets]
    except struct.error:
        raise _Damage(f"page {number} is damaged") from None
    for first, count in found:
        if count:
            _check_overflow(file, meta, first, pages)
    return [first for first, count in found if not count and first != NONE]


def _below(page: bytes, offset: int, flags: int) -> tuple[int, int]:
    """The page that a node points to, and 1 if it is an overflow page; NONE if it points to no page."""
    low, high, kind, key_bytes = _NODE.unpack_from(page, offset)
    if flags & _BRANCH:
        return low | high << 16 | kind << 32, 0
    data = offset + _NODE.size + key_bytes
    if kind & _BIG:
        return struct.unpack_from("<Q", page, data)[0], 1
    if kind & _SUB and not kind & _DUPLICATES:
        return _DB.unpack_from(page, data)[-1], 0
    return NONE, 0


def _check_overflow(file: int, meta: Meta, first: int, pages: int) -> None:
    page = _read(file, meta, first, pages)
    flags, count = _PAGE.unpack_from(page)[2], struct.unpack_from("<I", page, 12)[0]
    if not flags & _OVERFLOW or not count:
        raise _Damage(f"page {first} is damaged")
    if first + count > pages:
        raise _cut_off(meta, pages)


def _read(file: int, meta: Meta, number: int, pages: int) -> bytes:
    """A page whose header says that it is the page of this number."""
    if number > meta.last_page:
        raise _Damage(f"page {number} is used, but page {meta.last_page} is the last")
    if number >= pages:
        raise _cut_off(meta, pages)
    page = os.pread(file, meta.page_bytes, number * meta.page_bytes)
    if len(page) < meta.page_bytes or _PAGE.unpack_from(page)[0] != number:
        raise _Damage(f"page {number} is damaged")
    return page


def _cut_off(meta: Meta, pages: int) -> _Damage:
    needed = (meta.last_page + 1) * meta.page_bytes
    return _Damage(f"it was cut off: {pages * meta.page_bytes} of {needed} bytes are there")
