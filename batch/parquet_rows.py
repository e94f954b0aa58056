"""The rows of a Parquet file's row groups, down to the last row before a damaged page, and on in the next group.

Before the rows of a group are read, each of its columns is read alone and counted. A damaged page may raise nothing and
only be missing: then the values behind it would stand in other rows, and Arrow, reading several columns of different
lengths together, ends the whole process.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import pyarrow.parquet

from batch.cells import rows_of
from batch.rows_read import DAMAGE, PAGE_ROWS, CatalogRow, UnreadableRest
from schemas.events import FIELDS

#: Sizes of the batches in which a damaged column is read once more, each from where the one before failed.
_SMALLER_PAGES = (PAGE_ROWS, 50, 5, 1)


class _Column(NamedTuple):
    """How many rows of a group a column gives, and why not all; a page that is only missing makes it worth none."""

    name: str
    rows: int
    reason: str


def parquet_rows(file: Any, part: int, parts: int) -> Iterator[CatalogRow | UnreadableRest]:
    """The rows of every `parts`-th row group, numbered in the file."""
    parquet, number = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True), 1
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        if group % parts == part:
            yield from _group_rows(parquet, group, range(number, number + rows))
        number += rows


def _group_rows(parquet: Any, group: int, numbers: range) -> Iterator[CatalogRow | UnreadableRest]:
    """The rows of a group; at damage those before it, and one `UnreadableRest` for the others of the group."""
    columns = [_counted(parquet, group, path, len(numbers)) for path in _leaves(parquet)]
    damaged = [column for column in columns if column.reason]
    if damaged:
        yield from _saved_rows(parquet, group, numbers, damaged)
        return
    batches = parquet.iter_batches(PAGE_ROWS, row_groups=[group])
    rows = (row for batch in batches for row in rows_of(batch))
    yield from (CatalogRow(number, row) for number, row in zip(numbers, rows, strict=True))


def _saved_rows(
    parquet: Any, group: int, numbers: range, damaged: list[_Column]
) -> Iterator[CatalogRow | UnreadableRest]:
    """The rows of a damaged group that every column has which a posting needs, without those that none needs."""
    needed = [column for column in damaged if column.name in FIELDS]
    left_out = {column.name for column in damaged} - FIELDS
    whole = min((column.rows for column in needed), default=len(numbers))
    names = [name for name in parquet.schema_arrow.names if name not in left_out]
    values = [_values(parquet, group, name, whole) for name in names]
    for number, row in zip(numbers, zip(*values, strict=True), strict=False):
        yield CatalogRow(number, dict(zip(names, row, strict=True)))
    if needed:
        reason = next(column.reason for column in needed if column.rows == whole)
        first, last = numbers[whole], numbers[-1]
        yield UnreadableRest(
            first, f"rows {first} to {last} of the parquet file cannot be read: {reason}"[:500]
        )


def _leaves(parquet: Any) -> list[str]:
    """The paths of all columns, those within objects and lists too."""
    return [parquet.schema.column(i).path for i in range(len(parquet.schema))]


def _counted(parquet: Any, group: int, path: str, rows: int) -> _Column:
    """Read a column of a group to its end, or to its damage."""
    name, done, reason = path.partition(".")[0], 0, ""
    for page in _SMALLER_PAGES:
        try:
            for batch in _batches(parquet, group, path, page, done):
                done += batch.num_rows
        except DAMAGE as error:
            reason = str(error) or type(error).__name__
            continue
        if done != rows:
            return _Column(name, 0, f"column {path} has {done} of {rows} rows")
        break
    return _Column(name, done, reason)


def _values(parquet: Any, group: int, name: str, count: int) -> list[Any]:
    """The first `count` values of a column, which can be read."""
    found: list[Any] = []
    for page in _SMALLER_PAGES:
        # whole pages only: the page behind them may be damaged
        pages = (count - len(found)) // page
        batches = _batches(parquet, group, name, page, len(found))
        for batch in islice(batches, pages):
            found += [row[name] for row in rows_of(batch)]
    return found


def _batches(parquet: Any, group: int, column: str, page: int, done: int) -> Iterator[Any]:
    """The batches of one column of a group from row `done` on, a multiple of `page`."""
    return islice(parquet.iter_batches(page, row_groups=[group], columns=[column]), done // page, None)
