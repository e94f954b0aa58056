"""Two backfills on one folder of progress files: the second is refused, or warned where there are no locks."""

from pathlib import Path

import pytest

from batch.state_lock import LOCK, held
from schemas.errors import ConfigError


def test_a_second_backfill_on_a_local_folder_is_refused_by_a_line_that_names_the_first(
    tmp_path: Path,
) -> None:
    state = str(tmp_path / "state")
    with (
        held(state, print),
        pytest.raises(ConfigError, match=r"another backfill \(process") as error,
        held(state, print),
    ):
        pass
    assert "--state" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_folder_is_free_once_the_first_backfill_has_ended_whatever_its_end(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(str(tmp_path), print):
        raise ZeroDivisionError
    with held(str(tmp_path), print):
        assert (tmp_path / LOCK).read_text().startswith("process")


def test_other_folders_do_not_matter(tmp_path: Path) -> None:
    with held(str(tmp_path / "a"), print), held(str(tmp_path / "b"), print):
        pass


def test_on_a_remote_folder_the_second_is_warned(tmp_path: Path) -> None:
    told = list[str]()
    with held(f"file://{tmp_path}", told.append), held(f"file://{tmp_path}", told.append):
        pass
    assert len(told) == 1
    assert "another backfill" in told[0]


def test_an_old_note_of_a_killed_backfill_warns_nobody(tmp_path: Path) -> None:
    told = list[str]()
    (tmp_path / LOCK).write_text('{"by": "process 1 on a", "at": 0.0}')
    with held(f"file://{tmp_path}", told.append, clock=lambda: 1_000.0):
        pass
    assert told == []
