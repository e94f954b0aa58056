import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.catalog import Format, Split, list_files, split_files
from batch.readers import count_lines, read_rows
from batch.rows_read import CatalogRow, UnreadableRest
from schemas.errors import ConfigError
from tests.batch.catalogs import lines, postings, write

KINDS = {
    "c.jsonl": Format.JSON_LINES,
    "c.jsonl.gz": Format.GZIP,
    "c.parquet": Format.PARQUET,
    "c.avro": Format.AVRO,
}


def parts(path: Path, count: int) -> list[Split]:
    file = list_files([str(path)])[0]
    return [
        Split(number=n, file=0, address=file.address, format=file.format, size=file.size, part=n, parts=count)
        for n in range(count)
    ]


def numbers_of(split: Split, base: int = 0) -> list[int]:
    return [base + row.number for row in read_rows(split)]


@pytest.mark.parametrize("name", KINDS)
def test_a_format_is_told_by_the_first_bytes_whatever_the_name(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, postings(3)).rename(tmp_path / "renamed")
    assert list_files([str(path)])[0].format is KINDS[name]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", KINDS)
def test_every_row_is_in_exactly_one_split_with_its_place_in_the_file(
    name: str, count: int, tmp_path: Path
) -> None:
    path, base, found = write(tmp_path / name, postings(1300), group=200), 0, []
    for split in parts(path, count):
        found += numbers_of(split, base)
        base += count_lines(split) if split.format is Format.JSON_LINES else 0
    assert sorted(found) == list(range(1, 1301))


@given(texts=st.lists(st.text("ab ", max_size=12)), count=st.integers(1, 6), ending=st.booleans())
def test_plain_lines_of_any_length_are_cut_anywhere_without_loss(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], count: int, ending: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "c.jsonl"
    path.write_bytes("\n".join(texts).encode() + b"\n" * ending)
    base, found = 0, []
    for split in parts(path, count):
        found += [(base + row.number, row.data) for row in read_rows(split) if isinstance(row, CatalogRow)]
        base += count_lines(split)
    kept = [(n, text.strip().encode()) for n, text in enumerate(texts, start=1) if text.strip()]
    assert found == kept


def test_a_gzip_file_that_breaks_off_gives_what_came_before_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(lines(postings(2000)))[:-2000])
    rows = list(read_rows(parts(path, 1)[0]))
    assert len(rows) > 1
    assert isinstance(rows[-1], UnreadableRest)
    assert rows[-1].number == len(rows)


@pytest.mark.parametrize("name", ["c.parquet", "c.avro"])
def test_a_damaged_file_is_one_broken_row_and_no_error(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, postings(300))
    data = path.read_bytes()
    path.write_bytes(data[:200] + b"\0" * 200 + data[400 : len(data) // 2])
    split = split_files(list_files([str(path)]), parallelism=2, split_bytes=1 << 20)[0]
    rows = list(read_rows(split))
    assert [type(row) for row in rows if isinstance(row, UnreadableRest)] == [UnreadableRest]


def test_a_folder_is_all_its_files_but_hidden_ones(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    for name in ("day=1/a.jsonl", "b.jsonl", "_SUCCESS", ".b.crc"):
        write(tmp_path / name, postings(1))
    found = list_files([str(tmp_path), str(tmp_path / "*.jsonl")])
    assert [Path(file.address).name for file in found] == ["b.jsonl", "a.jsonl"]


def test_a_catalog_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        list_files([str(tmp_path / "nowhere")])


def test_plain_files_are_split_by_size_and_others_by_how_many_can_read_them(tmp_path: Path) -> None:
    files = [write(tmp_path / name, postings(1000)) for name in ("a.jsonl", "b.jsonl.gz", "c.parquet")]
    splits = split_files(list_files([str(f) for f in files]), parallelism=3, split_bytes=50_000)
    shares = {Path(s.address).name: s.parts for s in splits}
    assert shares["a.jsonl"] >= 3
    assert shares["b.jsonl.gz"] == 3
    assert 1 <= shares["c.parquet"] <= 10
    assert [s.number for s in splits] == list(range(len(splits)))
