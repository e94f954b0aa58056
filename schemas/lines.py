"""The lines of a file, plain or gzip, down to the last byte that a damaged file still gives."""

import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from typing_extensions import override

from schemas.errors import EventError

GZIP_MAGIC = b"\x1f\x8b"
#: Other compressions by the first bytes of their files, which are not read.
PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
MAGIC_BYTES = 6
_INPUT_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 18
_GZIP_FORMAT = 31  # zlib's number for a gzip header and trailer, both checked


class DamagedFile(EOFError):
    """A compressed file that breaks off or is damaged; everything before the damage was read."""


class Gunzip(io.RawIOBase):
    """The unpacked bytes of a gzip file of any number of members, as a raw stream for `io.BufferedReader`.

    Python's own reader drops up to a buffer of good bytes when it meets damage; this one gives every byte that zlib
    can unpack, and only then raises DamagedFile.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Does not close `file`."""
        self._file = file
        self._member: Any = None
        self._input = b""
        self._damage = ""

    @override
    def readable(self) -> bool:
        """Always."""
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        """Fill what it can of `buffer`; 0 at the end of the last member. Raises DamagedFile."""
        while not self._damage:
            is_end = not self._input and not self._more()
            if is_end and self._member is None:
                return 0
            made = self._unpack(len(buffer))
            if is_end and not made:
                self._damage = "it ends in the middle of its compressed data"
            if made:
                buffer[: len(made)] = made
                return len(made)
        raise DamagedFile(self._damage)

    def _more(self) -> bool:
        """Read on; False at the end of the file."""
        try:
            self._input = self._file.read(_INPUT_BYTES)
        except OSError as error:
            self._damage = f"it cannot be read on: {error}"
            raise DamagedFile(self._damage) from error
        return bool(self._input)

    def _unpack(self, size: int) -> bytes:
        """Up to `size` bytes from the input at hand; b"" if it needs more."""
        if self._member is None:
            # zeros may stand between members and after the last
            self._input = self._input.lstrip(b"\0")
            if not self._input:
                return b""
            self._member = zlib.decompressobj(_GZIP_FORMAT)
        before = self._member.copy()
        try:
            made: bytes = self._member.decompress(self._input, size)
        except zlib.error as error:
            self._damage = str(error)
            return _salvage(before, self._input, size)
        self._input = self._member.unconsumed_tail or self._member.unused_data
        if self._member.eof:
            self._member = None
        return made


def _salvage(member: Any, data: bytes, size: int) -> bytes:
    """What a member still gives of `data` before the byte at which it fails, at most `size` bytes."""
    made = bytearray()
    with suppress(zlib.error):
        for at in range(len(data)):
            made += member.decompress(data[at : at + 1], max(1, size - len(made)))
    return bytes(made[:size])


def numbered_lines(source: Path | str | BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines (from 1) that are not blank, without their ends.

    Raises EventError for a damaged gzip file, after every whole line before the damage, and for other compressions.
    """
    number = 0
    try:
        with _opened(source) as file:
            for number, line in enumerate(file, start=1):
                if stripped := line.strip():
                    yield number, stripped
    except DamagedFile as error:
        raise EventError(f"the gzip file breaks off after line {number}: {error}") from error


def unpacked(file: BinaryIO) -> io.BufferedReader:
    """The unpacked bytes of a gzip file."""
    return io.BufferedReader(Gunzip(file), _BUFFER_BYTES)


def check_packing(begin: bytes) -> None:
    """Raise EventError for the first bytes of a compressed file that is not gzip."""
    for magic, name in PACKED.items():
        if begin.startswith(magic):
            raise EventError(f"the file is compressed with {name}, which is not read: unpack it, or use gzip")


@contextmanager
def _opened(source: Path | str | BinaryIO) -> Iterator[Iterable[bytes]]:
    if isinstance(source, Path | str):
        with Path(source).open("rb") as file, _opened(file) as lines:
            yield lines
        return
    begin = source.peek(MAGIC_BYTES)[:MAGIC_BYTES] if hasattr(source, "peek") else b""
    check_packing(begin)
    yield unpacked(source) if begin.startswith(GZIP_MAGIC) else source
