"""The one opener of JSON Lines: what it takes for gzip, which lines it gives, and what it says of a damaged file."""

import gzip
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from training.judging.lines import json_lines, open_lines

TEXT = "\ufeffone\n\n  \ntwo\n"


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.gz"])
@pytest.mark.parametrize("zipped", [False, True])
def test_gzip_is_known_by_its_first_bytes_whatever_the_name(
    tmp_path: Path, name: str, *, zipped: bool
) -> None:
    data = TEXT.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if zipped else data)
    assert list(open_lines(tmp_path / name)) == [(1, "one\n"), (4, "two\n")]


def test_a_gzip_file_that_breaks_off_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % n for n in range(20_000))
    (tmp_path / "a").write_bytes(gzip.compress(data)[:-2000])
    with pytest.raises(ConfigError, match=r"a is damaged or no UTF-8 text after line [1-9]\d+"):
        list(open_lines(tmp_path / "a"))
    (tmp_path / "b").write_bytes(b"\xff\n")
    with pytest.raises(ConfigError, match="b is damaged or no UTF-8 text after line 0"):
        list(open_lines(tmp_path / "b"))


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"a": 1}\n[2]\n')
    rows = json_lines(tmp_path / "a")
    assert next(rows) == (f"{tmp_path / 'a'}, line 1", {"a": 1})
    with pytest.raises(ConfigError, match="a, line 2: not an object"):
        next(rows)
