"""The rows of an Arrow batch as dicts, in which one bad cell is an `Unreadable` instead of an error of the batch."""

from typing import Any

import pyarrow as pa

from schemas.fields import Unreadable

#: What PyArrow raises for a value that Python cannot hold, such as a date in the year 70000 or broken UTF-8.
BAD_CELL = (ArithmeticError, ValueError, LookupError, TypeError, RuntimeError, pa.ArrowException)


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch; only where its values cannot all be converted at once, cell by cell."""
    try:
        return list(batch.to_pylist())
    except BAD_CELL:
        columns = [_cells(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def unreadable(error: Exception) -> Unreadable:
    """Stands for a value that raised this error."""
    return Unreadable(f"a value that cannot be read ({error})"[:200])


def _cells(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except BAD_CELL:
        return [_cell(scalar) for scalar in column]


def _cell(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except BAD_CELL as error:
        return unreadable(error)
