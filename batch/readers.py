"""The rows of a split, whatever its format; a row's number is its place in the file, from 1."""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet

from batch.catalog import Format, Split
from batch.split_folder import open_filesystem

#: Lines of a gzip file that one of its splits takes in a row, and rows that Parquet hands over at once.
PAGE_ROWS = 500
_BUFFER_BYTES = 1 << 20

#: What a file of any format may raise that is damaged or breaks off.
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    LookupError,
    TypeError,
    StopIteration,
    pa.ArrowException,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it stands, or a decoded row; in a later split of a plain file `number` counts from its start."""

    number: int
    data: bytes | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """The file cannot be read from row `number` on."""

    number: int
    reason: str


def read_rows(split: Split) -> Iterator[Row | Broken]:
    """Every row of a split but blank lines; damage ends it with one `Broken`. OSError when the file does not open."""
    filesystem, path = open_filesystem(split.address)
    rows, number = _READERS[split.format](filesystem.open_input_file(path), split), 0
    while True:
        try:
            row = next(rows, None)
        except _DAMAGE as error:
            yield Broken(number + 1, f"the {split.format} file cannot be read from here on: {error}"[:500])
            return
        if row is None:
            return
        number = row.number
        yield row


def count_lines(split: Split) -> int:
    """Line ends within a plain split: what the numbers of the file's next split begin after."""
    filesystem, path = open_filesystem(split.address)
    with filesystem.open_input_file(path) as file:
        return sum(1 for _ in _range(file, split))


def _plain(file: Any, split: Split) -> Iterator[Row]:
    return _numbered(enumerate(_range(file, split), start=1))


def _range(file: Any, split: Split) -> Iterator[bytes]:
    """The lines that begin within the split's byte range."""
    start, end = split.size * split.part // split.parts, split.size * (split.part + 1) // split.parts
    at = start
    if start > 0:
        # the line that is under way at `start` belongs to the split before; one that begins there is ours
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


def _gzip(file: Any, split: Split) -> Iterator[Row]:
    with gzip.open(_buffered(file), "rb") as unzipped:
        lines = enumerate(unzipped, start=1)
        page = 0
        while taken := list(islice(lines, PAGE_ROWS)):
            if page % split.parts == split.part:
                yield from _numbered(taken)
            page += 1


def _numbered(lines: Iterable[tuple[int, bytes]]) -> Iterator[Row]:
    return (Row(number, stripped) for number, line in lines if (stripped := line.strip()))


def _parquet(file: Any, split: Split) -> Iterator[Row]:
    parquet = pyarrow.parquet.ParquetFile(file)
    number = 1
    for group in range(parquet.num_row_groups):
        if group % split.parts == split.part:
            at = number
            for batch in parquet.iter_batches(PAGE_ROWS, row_groups=[group]):
                yield from (Row(at + i, row) for i, row in enumerate(batch.to_pylist()))
                at += batch.num_rows
        number += parquet.metadata.row_group(group).num_rows


def _avro(file: Any, split: Split) -> Iterator[Row]:
    number = 1
    for index, block in enumerate(fastavro.block_reader(_buffered(file))):
        if index % split.parts == split.part:
            yield from (Row(number + i, _record(row)) for i, row in enumerate(block))
        number += block.num_records


def _record(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TypeError(f"the file holds {type(row).__name__}, not records")
    return row


_READERS = {Format.JSON_LINES: _plain, Format.GZIP: _gzip, Format.PARQUET: _parquet, Format.AVRO: _avro}
