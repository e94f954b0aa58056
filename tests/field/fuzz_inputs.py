"""`make fuzz-inputs`: a million inputs into the readers of lines, rows and files; only typed errors may come out.

    python -m tests.field.fuzz_inputs --inputs 1000000 --seed 1

Prints a line for each target; a failing input is shrunk, printed with the call that repeats it, and ends the run.
"""

import argparse
import gzip
import io
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple

import fastavro
import pyarrow as pa
import pyarrow.parquet
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from batch.catalog import list_files, split_files
from batch.readers import read_rows
from batch.rows import BadRow, data_of, dead_letter, parse
from batch.rows_read import CatalogRow, UnreadableRest
from nearline.shown import markup
from schemas.codec import decode, encode
from schemas.errors import EventError
from schemas.events import (
    EventFormat,
    ParsedEvent,
    parse_line,
    parse_search,
    read_events,
    read_searches,
)
from schemas.records import PostingUpdate
from tests.field.inputs import KNOWN_DECODED, damage, decoded, dice, formats, line, objects, variants

#: Inputs that are made of one example: hypothesis makes 200 examples a second, the readers take 20,000 inputs.
EACH = 50


def a_line(data: bytes, how: EventFormat) -> None:
    """A line is an event that the wire holds, or an error that can be written down."""
    try:
        event = parse_line(data, how)
    except EventError as error:
        _writable(str(error))
    else:
        _sendable(event)


def a_row(row: dict[str, Any], how: EventFormat) -> None:
    """A decoded row is an event, or a dead letter that can be written down."""
    place = CatalogRow(1, row)
    event = parse(place, how)
    if isinstance(event, BadRow):
        dead_letter("file", 1, event)
        _writable(event.reason)
    else:
        _sendable(event)
        data_of(place)


def a_search(row: dict[str, Any]) -> None:
    """A search is one that the wire holds, or an error."""
    try:
        found = parse_search(row)
    except EventError as error:
        _writable(str(error))
    else:
        assert decode(type(found), encode(found)) == found


def some_lines(row: dict[str, Any], how: EventFormat, dice: Random) -> None:
    """Lines of variants of a row, every second one damaged."""
    for number, made in enumerate(variants(row, dice, EACH)):
        data = line(made)
        a_line(damage(data, dice) if number % 2 else data, how)


def some_rows(row: dict[str, Any], how: EventFormat, dice: Random) -> None:
    """Variants of a decoded row."""
    for made in variants(row, dice, EACH, KNOWN_DECODED):
        a_row(made, how)


def some_searches(row: dict[str, Any], dice: Random) -> None:
    """Variants of a saved search."""
    for made in variants(row, dice, EACH):
        a_search(made)


def some_files(rows: list[dict[str, Any]], dice: Random) -> None:
    """Files of lines, packed or not and damaged, give events and broken lines, and at most one error at their end."""
    plain = b"\n".join(line(row) for row in rows)
    for data in (plain, *packed_files()):
        readers: tuple[Callable[[BinaryIO], Iterable[Any]], ...] = (read_events, read_searches)
        for read in readers:
            try:
                list(read(io.BufferedReader(io.BytesIO(damage(data, dice)))))
            except EventError as error:
                _writable(str(error))


def some_catalogs(dice: Random) -> None:
    """Damaged files of a catalog give rows and letters; what is damaged raises nothing."""
    for data in packed_files():
        a_catalog(damage(data, dice))


def a_catalog(data: bytes) -> None:
    """A file of a catalog gives rows and letters, each with a number of its own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "catalog"
        path.write_bytes(data)
        for split in split_files(list_files([str(path)]), parallelism=2, split_bytes=1 << 10):
            numbers = []
            for row in read_rows(split):
                numbers.append(row.number)
                event = parse(row)
                assert not isinstance(row, UnreadableRest) or isinstance(event, BadRow)
            assert len(set(numbers)) == len(numbers)


@cache
def packed_files() -> list[bytes]:
    """A small sound catalog in each format."""
    rows = [{"id": f"p{n}", "title": f"Nurse {n}", "posted_at": "2024-03-05", "salary": n} for n in range(40)]
    whole = b"".join(b'{"id": "%d", "title": "Nurse"}\n' % n for n in range(40))
    parquet, avro = io.BytesIO(), io.BytesIO()
    table = pa.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, parquet, row_group_size=15, data_page_size=100, write_batch_size=5)
    kinds = {"id": "string", "title": "string", "posted_at": "string", "salary": "int"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    schema = {"type": "record", "name": "P", "fields": fields}
    fastavro.writer(avro, schema, rows, codec="deflate", sync_interval=300)
    return [gzip.compress(whole), gzip.compress(whole) * 2, parquet.getvalue(), avro.getvalue(), whole]


class Target(NamedTuple):
    """A function, the strategies of its arguments, its inputs in one call, its share of all inputs in thousandths."""

    call: Callable[..., None]
    strategies: tuple[st.SearchStrategy[Any], ...]
    inputs: int
    share: int


TARGETS = {
    "lines": Target(some_lines, (objects, formats, dice), EACH, 500),
    "decoded rows": Target(some_rows, (decoded, formats, dice), EACH, 350),
    "searches": Target(some_searches, (objects, dice), EACH, 120),
    "files of lines": Target(some_files, (st.lists(objects, max_size=3), dice), 12, 20),
    "catalogs": Target(some_catalogs, (dice,), 5, 10),
}


def run(name: str, inputs: int, start: int) -> int:
    """Put at least `inputs` inputs into a target and return their number; raises what a target must not raise."""
    target = TARGETS[name]
    examples = -(-inputs // target.inputs)
    quick = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    seed(start)(quick(given(*target.strategies)(target.call)))()
    return examples * target.inputs


def main() -> None:
    """Run all targets with the command line's number of inputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=TARGETS)
    asked = parser.parse_args()
    for name, target in TARGETS.items():
        if asked.only in (None, name):
            began = time.monotonic()
            inputs = run(name, asked.inputs * target.share // 1000, asked.seed)
            print(
                f"{name}: {inputs} inputs in {time.monotonic() - began:.0f} s, no untyped error", flush=True
            )


def _sendable(event: ParsedEvent) -> None:
    update = PostingUpdate(
        posting_id=event.posting_id, version=event.instant_us, op=event.op, posting=event.posting
    )
    assert decode(PostingUpdate, encode(update)) == update
    assert event.posting_id.strip()


def _writable(reason: str) -> None:
    assert len(reason.encode()) < 2_000
    markup(reason)


if __name__ == "__main__":
    main()
