"""A damaged LMDB file is one line that names it and says what to do, never a dead process."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError, StoreDamaged, StoreUnavailable
from storage.lmdb.health import check
from storage.opening import open_store

PAGE = 4096


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store with several levels of pages and values that need pages of their own."""
    home = tmp_path_factory.mktemp("store")
    store = open_store(f"lmdb://{home}?map_size=64M&sync=os")
    rng = random.Random(1)
    for start in range(0, 3_000, 500):
        store.put_many([(b"k%06d" % n, rng.randbytes(100)) for n in range(start, start + 500)], ttl_s=9e9)
    store.put_many([(b"large%d" % n, rng.randbytes(20_000)) for n in range(20)])
    store.close()
    return (home / "data.mdb").read_bytes()


def at(home: Path, data: bytes) -> Path:
    (home / "data.mdb").write_bytes(data)
    return home


def opened(home: Path) -> None:
    open_store(f"lmdb://{home}?map_size=64M&sync=os").close()


def test_a_good_file_is_opened(tmp_path: Path, good: bytes) -> None:
    check(at(tmp_path, good))
    opened(tmp_path)


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda _: b"", "it is empty"),
    ("text", lambda _: b"to be read by people\n" * 500, "does not begin as LMDB's files do"),
    ("zeros", lambda data: bytes(len(data)), "does not begin as LMDB's files do"),
    ("another format", lambda _: b"SQLite format 3\0" + bytes(PAGE * 4), "does not begin"),
    ("a few bytes", lambda data: data[:100], "does not begin"),
    ("one page", lambda data: data[:PAGE], "second page is missing"),
    ("one page and a half", lambda data: data[: PAGE * 3 // 2], "second page is missing|cut off|damaged"),
    ("two pages", lambda data: data[: PAGE * 2], "it was cut off"),
    ("half", lambda data: data[: len(data) // 2 // PAGE * PAGE], "it was cut off"),
    ("half and some bytes", lambda data: data[: len(data) // 2 // PAGE * PAGE + 77], "it was cut off"),
    ("all but one page", lambda data: data[:-PAGE], "it was cut off"),
    ("zeros inside", lambda data: data[: PAGE * 2] + bytes(len(data) - PAGE * 2), "is damaged"),
    (
        "noise inside",
        lambda data: data[: PAGE * 2] + random.Random(2).randbytes(len(data) - 2 * PAGE),
        "damaged",
    ),
]


@pytest.mark.parametrize(
    ("damage", "message"), [each[1:] for each in DAMAGE], ids=[each[0] for each in DAMAGE]
)
def test_a_damaged_file_is_one_line_that_names_it(
    tmp_path: Path,
    good: bytes,
    damage: Callable[[bytes], bytes],
    message: str,
) -> None:
    at(tmp_path, damage(good))
    with pytest.raises(StoreDamaged, match=message) as error:
        check(tmp_path, sleep=lambda _: None)
    assert str(tmp_path / "data.mdb") in str(error.value)
    assert "Restore it from a copy" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_store_is_looked_at_before_it_is_mapped(tmp_path: Path, good: bytes) -> None:
    at(tmp_path, good[: len(good) // 2])
    with pytest.raises(StoreDamaged):
        opened(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_page_of_noise_anywhere_is_found_or_belongs_to_no_tree(
    tmp_path: Path, good: bytes, seed: int
) -> None:
    """A page that no tree uses may hold anything; a store that passes the look can be read whole."""
    number = random.Random(seed).randrange(2, len(good) // PAGE)
    noise = random.Random(seed).randbytes(PAGE)
    at(tmp_path, good[: number * PAGE] + noise + good[(number + 1) * PAGE :])
    try:
        check(tmp_path)
    except StoreDamaged:
        return
    store = open_store(f"lmdb://{tmp_path}?map_size=64M&sync=os")
    assert len(list(store.scan())) == 3_020
    store.close()


def test_a_file_that_ends_before_pages_that_no_tree_uses_is_good(tmp_path: Path, good: bytes) -> None:
    """LMDB need not write pages that a transaction took and freed."""
    data = bytearray(good)
    for page in range(2):
        last = page * PAGE + 16 + 24 + 2 * 48
        data[last : last + 8] = (int.from_bytes(data[last : last + 8], "little") + 5).to_bytes(8, "little")
    check(at(tmp_path, bytes(data)))


def test_a_missing_directory_or_file_is_a_new_store(tmp_path: Path) -> None:
    check(tmp_path / "none")
    check(tmp_path)
    opened(tmp_path / "new")


def test_a_file_where_the_directory_should_be_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("words")
    with pytest.raises(ConfigError, match="is a file, but an LMDB store is a directory"):
        opened(tmp_path / "store")


def test_a_directory_where_the_file_should_be_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").mkdir()
    with pytest.raises(ConfigError, match=r"data\.mdb is not a file"):
        opened(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_another_user_says_who_may_read_it(tmp_path: Path, good: bytes) -> None:
    at(tmp_path, good)
    (tmp_path / "data.mdb").chmod(0)
    with pytest.raises(StoreUnavailable, match="start this as the user who owns the store"):
        check(tmp_path)


def test_a_file_that_another_process_is_just_making_is_waited_for(tmp_path: Path, good: bytes) -> None:
    at(tmp_path, b"")
    check(tmp_path, sleep=lambda _: (tmp_path / "data.mdb").write_bytes(good))


def test_a_writer_that_commits_during_the_look_is_no_damage(tmp_path: Path) -> None:
    """Pages of the tree that is looked at may be written anew as soon as two more transactions have committed."""
    store = open_store(f"lmdb://{tmp_path}?map_size=64M&sync=os")
    store.put_many([(b"k%d" % n, b"v" * 500) for n in range(2_000)])
    for turn in range(50):
        store.put_many([(b"k%d" % (turn * 7 + n), bytes([turn]) * 400) for n in range(50)])
        check(tmp_path)
    store.close()


def test_a_lock_file_with_other_content_is_made_anew(tmp_path: Path, good: bytes) -> None:
    at(tmp_path, good)
    (tmp_path / "lock.mdb").write_bytes(b"words" * 100)
    opened(tmp_path)


def test_a_command_ends_by_the_line(tmp_path: Path, good: bytes) -> None:
    at(tmp_path, good[: len(good) // 2])
    result = CliRunner().invoke(app, ["store", "dump", f"lmdb://{tmp_path}"])
    assert isinstance(result.exception, StoreDamaged)
