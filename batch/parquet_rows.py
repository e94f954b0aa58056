"""The rows of a Parquet file's row groups, down to the last row before a damaged page, and on in the next group."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from batch.cells import rows_of
from batch.rows_read import DAMAGE, PAGE_ROWS, CatalogRow, UnreadableRest
from schemas.events import FIELDS

#: Sizes of the batches in which a damaged row group is read once more, each from where the one before failed.
_SMALLER_PAGES = (50, 5, 1)


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
    done, columns, reason = 0, None, ""
    for page in (PAGE_ROWS, PAGE_ROWS, *_SMALLER_PAGES):
        try:
            batches = parquet.iter_batches(page, row_groups=[group], columns=columns)
            for batch in islice(batches, done // page, None):
                for row in rows_of(batch):
                    yield CatalogRow(numbers[done], row)
                    done += 1
            break
        except DAMAGE as error:
            reason = str(error)
            columns = columns or _worth_reading(parquet, group)
    if done < len(numbers):
        yield UnreadableRest(
            numbers[done],
            f"rows {numbers[done]} to {numbers[-1]} of the parquet file cannot be read: {reason}"[:500],
        )


def _worth_reading(parquet: Any, group: int) -> list[str]:
    """The columns of a damaged group but those that are damaged and that no posting needs."""
    return [name for name in parquet.schema_arrow.names if name in FIELDS or _is_whole(parquet, group, name)]


def _is_whole(parquet: Any, group: int, column: str) -> bool:
    try:
        for _ in parquet.iter_batches(PAGE_ROWS, row_groups=[group], columns=[column]):
            pass
    except (*DAMAGE, pa.ArrowException):
        return False
    return True
