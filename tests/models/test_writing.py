"""Files and directories that are whole or as they were, whatever happens while they are written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from models.writing import copy_directory, recover, remove_directory, replacing, replacing_file, write_whole
from schemas.errors import ConfigError, StoreFull

ROOT = Path(__file__).parents[2]
Replacing = Callable[[Path], AbstractContextManager[Path]]


def fill(partial: Path, text: str) -> None:
    """Write into the yielded directory, or to the yielded path."""
    (partial / "part" if partial.is_dir() else partial).write_text(text)


def content(target: Path) -> str:
    return (target / "part" if target.is_dir() else target).read_text()


@pytest.fixture(params=[replacing, replacing_file])
def way(request: pytest.FixtureRequest) -> Replacing:
    return request.param  # type: ignore[no-any-return]


def put(way: Replacing, target: Path, text: str, error: BaseException | None = None) -> None:
    """Write `text`, then fail with `error`."""
    with way(target) as partial:
        fill(partial, text)
        if error:
            raise error


def test_a_target_is_made_with_its_parents_and_then_replaced(way: Replacing, tmp_path: Path) -> None:
    target = tmp_path / "some" / "folder" / "target"
    for text in ("first", "second"):
        put(way, target, text)
        assert content(target) == text
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_what_was_there_and_says_to_make_room(
    way: Replacing, tmp_path: Path, number: int
) -> None:
    target = tmp_path / "target"
    put(way, target, "old")
    with pytest.raises(StoreFull) as full:
        put(way, target, "half of the n", OSError(number, os.strerror(number), "elsewhere"))
    assert f"cannot write {target}: {os.strerror(number)}" in str(full.value)
    assert "make room" in str(full.value)
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_finds_no_room_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def full(partial: Path, data: bytes) -> None:
        partial.write_bytes(data[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "target"
    write_whole(target, "old")
    with pytest.raises(StoreFull, match="No space left on device; make room"):
        write_whole(target, b"new", write=full)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_short_file_that_a_library_found_counts_as_a_full_disk(way: Replacing, tmp_path: Path) -> None:
    with pytest.raises(StoreFull, match="was not written whole"):
        put(way, tmp_path / "target", "half", OSError("model.safetensors was not written whole"))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_and_not_called_full(way: Replacing, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match=r"cannot write .*target: (Not a directory|File exists)"):
        put(way, tmp_path / "file" / "target", "new")


def test_any_other_error_passes_and_leaves_nothing(way: Replacing, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        put(way, tmp_path / "target", "half", KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["replacing", "replacing_file"])
def test_a_process_that_dies_before_the_rename_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from models import writing\n"
        f"with writing.{name}(Path(sys.argv[1])) as partial:\n"
        "    (partial / 'part' if partial.is_dir() else partial).write_text('half')\n"
        "    os._exit(9)"
    )
    way: Replacing = {"replacing": replacing, "replacing_file": replacing_file}[name]
    target = tmp_path / "target"
    put(way, target, "old")
    died = subprocess.run([sys.executable, "-c", program, str(target)], cwd=ROOT, check=False)
    assert died.returncode == 9
    assert content(target) == "old"
    assert len(list(tmp_path.iterdir())) == 2, "the half-written one lies beside"
    put(way, target, "new")
    assert content(target) == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_writers_of_one_file_write_at_once_does_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with replacing_file(target, concurrent=True) as partial:
        assert str(os.getpid()) in partial.name
        fill(partial, "one")
        with replacing_file(target) as other:
            fill(other, "other")
        assert content(target) == "other"
    assert content(target) == "one"


def test_a_kill_between_the_two_renames_of_a_directory_loses_nothing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    put(replacing, target, "old")
    target.rename(tmp_path / ".target.before")
    recover(target)
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_copy_replaces_the_directory_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    put(replacing, tmp_path / "one", "one")
    put(replacing, tmp_path / "two", "two")
    copy_directory(tmp_path / "one", tmp_path / "two")
    assert content(tmp_path / "two") == "one"
    remove_directory(tmp_path / "one")
    assert list(tmp_path.iterdir()) == [tmp_path / "two"]


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "焊工")
    assert (tmp_path / "text").read_bytes() == "焊工".encode()
