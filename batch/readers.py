"""Read the rows of a split in any format; a row's number is its place in the file, from 1."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from batch.avro_rows import avro_rows
from batch.catalog import Format, Split
from batch.parquet_rows import parquet_rows
from batch.rows_read import DAMAGE, PAGE_ROWS, CatalogRow, UnreadableRest
from batch.split_folder import open_filesystem
from schemas.errors import EventError
from schemas.lines import MAGIC_BYTES, DamagedFile, check_packing, unpacked

_BUFFER_BYTES = 1 << 20


def read_rows(split: Split) -> Iterator[CatalogRow | UnreadableRest]:
    """Every row of a split but blank lines; an `UnreadableRest` for what damage hides. OSError if it cannot open."""
    filesystem, path = open_filesystem(split.address)
    rows, number = _READERS[split.format](filesystem.open_input_file(path), split), 0
    while True:
        try:
            row = next(rows, None)
        except DAMAGE as error:
            yield UnreadableRest(
                number + 1, f"the {split.format} file cannot be read from here on: {error}"[:500]
            )
            return
        if row is None:
            return
        number = row.number
        yield row


def count_lines(split: Split) -> int:
    """Number of lines of a plain split, after which the row numbers of the file's next split begin."""
    filesystem, path = open_filesystem(split.address)
    with filesystem.open_input_file(path) as file:
        return sum(1 for _ in _range(file, split))


def _plain(file: Any, split: Split) -> Iterator[CatalogRow]:
    return _numbered(enumerate(_range(file, split), start=1))


def _range(file: Any, split: Split) -> Iterator[bytes]:
    """The lines that begin within the split's byte range."""
    start, end = split.size * split.part // split.parts, split.size * (split.part + 1) // split.parts
    at = start
    if start > 0:
        # a line that began before `start` belongs to the split before; one that begins at `start` is ours
        file.seek(start - 1)
        at = start - 1
    lines = _buffered(file)
    if start > 0:
        at += len(lines.readline())
    while at < end and (line := lines.readline()):
        at += len(line)
        yield line


def _buffered(file: Any) -> io.BufferedReader:
    return io.BufferedReader(file, _BUFFER_BYTES)


def _gzip(file: Any, split: Split) -> Iterator[CatalogRow | UnreadableRest]:
    number = 0
    try:
        for number, line in enumerate(unpacked(_buffered(file)), start=1):
            if _is_ours(number, split) and (stripped := line.strip()):
                yield CatalogRow(number, stripped)
    except DamagedFile as error:
        # every split reads the file up to the damage, and the one whose line it is tells of it
        if _is_ours(number + 1, split):
            yield UnreadableRest(number + 1, f"the gzip file breaks off after line {number}: {error}")


def _is_ours(number: int, split: Split) -> bool:
    return (number - 1) // PAGE_ROWS % split.parts == split.part


def _numbered(lines: Iterable[tuple[int, bytes]]) -> Iterator[CatalogRow]:
    return (CatalogRow(number, stripped) for number, line in lines if (stripped := line.strip()))


def _parquet(file: Any, split: Split) -> Iterator[CatalogRow | UnreadableRest]:
    return parquet_rows(file, split.part, split.parts)


def _avro(file: Any, split: Split) -> Iterator[CatalogRow | UnreadableRest]:
    return avro_rows(_buffered(file), split.size, split.part, split.parts)


def _packed(file: Any, split: Split) -> Iterator[CatalogRow | UnreadableRest]:
    """One `UnreadableRest` for a file in a compression that is not read."""
    del split
    try:
        check_packing(bytes(file.read(MAGIC_BYTES)))
    except EventError as error:
        yield UnreadableRest(1, str(error))


_READERS = {
    Format.JSON_LINES: _plain,
    Format.GZIP: _gzip,
    Format.PARQUET: _parquet,
    Format.AVRO: _avro,
    Format.PACKED: _packed,
}
