"""A damaged compressed file costs what is damaged: every row before it counts, in a backfill as in a replay."""

import bz2
import gzip
import io
import json
import lzma
import random
import time
import zlib
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from batch.catalog import list_files, split_files
from batch.readers import read_rows
from batch.rows_read import CatalogRow, UnreadableRest
from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from nearline.cli.reading import ReadFile
from pipeline.local import LocalPath, LocalReport
from schemas.errors import EventError
from schemas.events import BrokenLine, read_events
from schemas.lines import DamagedFile, unpacked
from storage.memory import MemoryStore
from tests.batch.catalogs import letters, lines, run
from tests.batch.catalogs import postings as invented

ROWS = 1_000
#: Text that does not compress well, so that damage hits a place that can be named.
SEED = 5


def postings(count: int = ROWS) -> list[dict[str, str]]:
    noise = random.Random(SEED)
    return [{**row, "note": noise.randbytes(40).hex()} for row in invented(count)]


def read(path: Path, *, parallelism: int = 1) -> tuple[list[CatalogRow], list[UnreadableRest]]:
    splits = split_files(list_files([str(path)]), parallelism=parallelism, split_bytes=1 << 12)
    found = [row for split in splits for row in read_rows(split)]
    rows = sorted((row for row in found if isinstance(row, CatalogRow)), key=lambda row: row.number)
    return rows, [row for row in found if isinstance(row, UnreadableRest)]


def given(packed: bytes) -> int:
    """How many whole lines zlib itself gives of a damaged member, one byte at a time."""
    member, made = zlib.decompressobj(31), bytearray()
    try:
        for at in range(len(packed)):
            made += member.decompress(packed[at : at + 1])
    except zlib.error:
        pass
    return made.count(b"\n")


def cut(packed: bytes, part: float) -> bytes:
    return packed[: int(len(packed) * part)]


def zeroed(packed: bytes, part: float) -> bytes:
    at = int(len(packed) * part)
    return packed[:at] + bytes(64) + packed[at + 64 :]


@pytest.mark.parametrize("damage", [cut, zeroed])
@pytest.mark.parametrize("part", [0.3, 0.77, 0.999])
def test_every_line_that_gzip_still_gives_is_read_and_one_letter_stands_for_the_rest(
    tmp_path: Path, damage: object, part: float
) -> None:
    packed = damage(gzip.compress(lines(postings())), part)  # type: ignore[operator]
    path = tmp_path / "catalog.jsonl.gz"
    path.write_bytes(packed)
    whole = given(packed)
    for parallelism in (1, 3):
        rows, rests = read(path, parallelism=parallelism)
        assert [row.number for row in rows] == list(range(1, whole + 1))
        assert [rest.number for rest in rests] == [whole + 1]
    events = ReadFile(path)
    assert len(list(events)) == whole
    with pytest.raises(EventError, match=f"breaks off after line {whole}.*everything before was read"):
        events.finish()


def test_members_before_a_damaged_one_and_zeros_between_members_are_read(tmp_path: Path) -> None:
    members = [gzip.compress(lines(invented(20, start))) for start in (0, 20, 40)]
    sound = members[0] + bytes(5) + members[1] + bytes(512)
    assert unpacked(io.BytesIO(sound + bytes(3))).read() == lines(invented(40))
    path = tmp_path / "catalog.gz"
    for tail, why in [
        (members[2][:-3], "ends in the middle"),
        (b"\x1f\x8b\xff junk", ""),
        (b"junk", "header"),
    ]:
        path.write_bytes(sound + tail)
        rows, (rest,) = read(path)
        assert len(rows) == (60 if why == "ends in the middle" else 40)
        assert why in rest.reason


def test_a_wrong_checksum_is_told_after_all_lines_of_its_member() -> None:
    packed = bytearray(gzip.compress(lines(invented(10))))
    packed[-6] ^= 1
    file = unpacked(io.BytesIO(packed))
    assert len([file.readline() for _ in range(10)]) == 10
    with pytest.raises(DamagedFile, match="incorrect"):
        file.readline()


def test_a_replay_counts_the_events_of_an_unfinished_batch_before_the_error(tmp_path: Path) -> None:
    path = tmp_path / "stream.gz"
    path.write_bytes(cut(gzip.compress(lines(postings(300))), 0.99))
    local = LocalPath(MemoryStore(time.time), InstantSummarizer(), LexicalRanker())
    with pytest.raises(EventError, match="breaks off") as broken:
        local.replay(read_events(path))
    read_lines = int(str(broken.value).split("after line ")[1].split(":")[0])
    report: LocalReport = local.report
    assert 256 < report.updates_in == read_lines == sum(report.outcomes.values())


def test_a_page_of_parquet_that_was_read_counts_and_later_groups_are_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    table = pa.Table.from_pylist(postings())
    pq.write_table(
        table, path, row_group_size=400, data_page_size=2_000, use_dictionary=False, write_batch_size=10
    )
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(table.schema.names.index("description"))
    data = bytearray(path.read_bytes())
    at = chunk.data_page_offset + int(chunk.total_compressed_size * 0.6)
    data[at : at + 400] = bytes(400)
    path.write_bytes(data)
    rows, (rest,) = read(path)
    numbers = [row.number for row in rows]
    assert 520 < rest.number < 800
    assert numbers == [*range(1, rest.number), *range(801, 1001)]
    assert f"rows {rest.number} to 800 of the parquet file cannot be read" in rest.reason


def test_a_page_whose_checksum_is_wrong_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    table = pa.Table.from_pylist(postings(100))
    pq.write_table(
        table, path, row_group_size=50, use_dictionary=False, compression="none", write_page_checksum=True
    )
    data = bytearray(path.read_bytes())
    data[data.index(b"Ward number 70")] ^= 1
    path.write_bytes(data)
    rows, (rest,) = read(path)
    assert [row.number for row in rows] == list(range(1, 51))
    assert rest.number == 51


def test_damage_in_a_parquet_column_that_no_posting_needs_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    table = pa.Table.from_pylist(postings())
    pq.write_table(table, path, row_group_size=500, use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(table.schema.names.index("note"))
    data = bytearray(path.read_bytes())
    at = chunk.data_page_offset + chunk.total_compressed_size // 2
    data[at : at + 4_000] = bytes(4_000)
    path.write_bytes(data)
    rows, rests = read(path)
    assert ([row.number for row in rows], rests) == (list(range(1, ROWS + 1)), [])


@pytest.mark.parametrize("damage", [cut, zeroed])
def test_blocks_of_avro_before_the_damage_are_read(tmp_path: Path, damage: object) -> None:
    rows = postings()
    fields = [{"name": name, "type": "string"} for name in rows[0]]
    made = io.BytesIO()
    fastavro.writer(
        made, {"type": "record", "name": "P", "fields": fields}, rows, codec="deflate", sync_interval=5_000
    )
    path = tmp_path / "catalog.avro"
    path.write_bytes(damage(made.getvalue(), 0.6))  # type: ignore[operator]
    for parallelism in (1, 3):
        found, (rest,) = read(path, parallelism=parallelism)
        numbers = [row.number for row in found]
        assert numbers[: rest.number - 1] == list(range(1, rest.number))
        # a block that is damaged within does not hide those behind it
        assert (ROWS in numbers) == (damage is zeroed)
        assert rest.number > ROWS // 2


def test_a_damaged_length_in_an_avro_file_asks_for_no_more_memory_than_the_file_holds(tmp_path: Path) -> None:
    made, rows = io.BytesIO(), postings(50)
    fields = [{"name": name, "type": "string"} for name in rows[0]]
    fastavro.writer(made, {"type": "record", "name": "P", "fields": fields}, rows, codec="deflate")
    data = made.getvalue()
    at = data.index(data[-16:]) + 16
    path = tmp_path / "catalog.avro"
    # a count of 1, and a length of 2**55 bytes
    path.write_bytes(data[:at] + b"\x02" + b"\x80" * 8 + b"\x01" + data[at + 3 :])
    found, (rest,) = read(path)
    assert (found, rest.number) == ([], 1)


def test_a_page_that_parquet_skips_neither_shifts_rows_nor_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    table = pa.table(
        {**{k: [row[k] for row in postings(60)] for k in ("id", "title")}, "salary": list(range(60))}
    )
    pq.write_table(
        table, path, row_group_size=20, data_page_size=40, write_batch_size=5, use_dictionary=False
    )
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(2)
    data = bytearray(path.read_bytes())
    # the first byte of a page's header names its kind; a reader skips kinds that it does not know
    assert data[chunk.data_page_offset : chunk.data_page_offset + 2] == b"\x15\x00"
    data[chunk.data_page_offset + 1] = 2 * 7
    path.write_bytes(data)
    rows, (rest,) = read(path)
    assert [row.number for row in rows] == [*range(1, 21), *range(41, 61)]
    assert all(isinstance(row.data, dict) and row.data["salary"] == row.number - 1 for row in rows)
    assert rest.reason.startswith(
        "rows 21 to 40 of the parquet file cannot be read: column salary has 15 of 20"
    )


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, lambda data: b"\x28\xb5\x2f\xfd" + data])
def test_a_compression_that_is_not_read_is_one_letter_that_names_it(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "catalog.jsonl.packed"
    path.write_bytes(pack(lines(invented(300))))  # type: ignore[operator]
    rows, (rest,) = read(path)
    assert rows == []
    assert "which is not read: unpack it, or use gzip" in rest.reason
    with pytest.raises(EventError, match="unpack it"):
        list(read_events(path))


def test_a_backfill_of_a_damaged_file_says_where_it_broke_and_how_many_rows_it_took(tmp_path: Path) -> None:
    path = tmp_path / "catalog.jsonl.gz"
    path.write_bytes(cut(gzip.compress(lines(postings(700))), 0.9))
    report = run(tmp_path, path)
    (letter,) = letters(report)
    assert report.total.rows_in == letter["row"] > 501
    assert f"breaks off after line {letter['row'] - 1}" in letter["reason"]


def test_what_cannot_be_read_is_told_at_the_end_of_a_command(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b"[/b] no event\n" + json.dumps({"id": 1.5, "title": "a"}).encode())
    file, shown = ReadFile(path), Console(file=io.StringIO(), width=200)
    assert [type(event) for event in file] == [BrokenLine, BrokenLine]
    file.tell_broken(shown)
    file.finish()
    assert shown.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "line 1: not a line of JSON: Expecting value: line 1 column 2 (char 1)",
        "line 2: id must be text or a whole number, not 1.5",
    ]
