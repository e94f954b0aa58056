"""The rows of an Avro file's blocks; a value that Python cannot hold costs its cell, not the block."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import fastavro
from fastavro.read import LOGICAL_READERS
from fastavro.schema import SchemaParseException

from batch.cells import BAD_CELL, unreadable
from batch.rows_read import DAMAGE, CatalogRow, UnreadableRest


class _Bounded:
    """A file of which nobody reads more at once than it holds, since a damaged length may ask for exabytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, size: int) -> bytes:
        """As the file's own, at most the file's size."""
        return self._file.read(min(size, self._size))

    def tell(self) -> int:
        """Where the next read begins."""
        return self._file.tell()


def avro_rows(file: BinaryIO, size: int, part: int, parts: int) -> Iterator[CatalogRow | UnreadableRest]:
    """The rows of every `parts`-th block of a file of `size` bytes; a block that cannot be found ends the file."""
    _forgive_values()
    index, number = 0, 1
    try:
        for block in fastavro.block_reader(_Bounded(file, size)):
            if index % parts == part:
                yield from _block_rows(block, number)
            index, number = index + 1, number + block.num_records
    except (*DAMAGE, SchemaParseException, AttributeError) as error:  # the last two: a damaged schema
        # every split meets the damage, and the one whose block it is tells of it
        if index % parts == part:
            yield UnreadableRest(number, f"the avro file cannot be read from here on: {error}"[:500])


def _block_rows(block: Any, first: int) -> Iterator[CatalogRow | UnreadableRest]:
    """The rows of a block; at one that cannot be decoded, those before it and one `UnreadableRest` for the others."""
    number = first
    try:
        for row in block:
            yield CatalogRow(number, _record(row))
            number += 1
    except DAMAGE as error:
        last, reason = first + block.num_records - 1, str(error) or type(error).__name__
        yield UnreadableRest(
            number, f"rows {number} to {last} of the avro file cannot be read: {reason}"[:500]
        )


def _record(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TypeError(f"the file holds {type(row).__name__}, not records")
    return row


def _forgive_values() -> None:
    """Let fastavro's converters of dates, times, decimals and UUIDs give an `Unreadable` instead of raising.

    fastavro knows no other way to go on behind such a value; the table is the one that it documents for converters.
    """
    for kind, reader in list(LOGICAL_READERS.items()):
        if not hasattr(reader, "forgives"):
            LOGICAL_READERS[kind] = _forgiving(reader)


def _forgiving(reader: Callable[..., Any]) -> Callable[..., Any]:
    def read(value: Any, *schemas: Any) -> Any:
        try:
            return reader(value, *schemas)
        except BAD_CELL as error:
            return unreadable(error)

    read.forgives = True  # type: ignore[attr-defined]
    return read
