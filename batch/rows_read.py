"""What the readers of all formats give, and what they take for damage of a file."""

import zlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

#: Consecutive lines of a gzip file that belong to one split, and rows of Parquet that are decoded at once.
PAGE_ROWS = 500

#: What the readers raise for a file that is damaged or breaks off.
DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    StopIteration,
    RecursionError,
    pa.ArrowException,
)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """A line's bytes, or a decoded row; in a later split of a plain file `number` counts from the split's beginning."""

    number: int
    data: bytes | dict[str, Any]


@dataclass(frozen=True, slots=True)
class UnreadableRest:
    """Stands for the rows from `number` on, which cannot be read because the file is damaged.

    They end with the file, or in Parquet and Avro with the row group or block that is damaged.
    """

    number: int
    reason: str
