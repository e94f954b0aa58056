"""The files of a local stack's home: written whole, and a torn or foreign one is one line that says what to do."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nearline.cli import options
from nearline.cli.app import run
from nearline.stack.settings import StackSettings, current_home
from nearline.stack.state import read_state, state_age_s
from nearline.stack.supervisor import Supervisor
from schemas.errors import ConfigError

TORN = json.dumps({"home": "x", "port_base": 29000})[:-9]
FOREIGN = [
    b"",
    TORN.encode(),
    b"\xff\xfe\x00garbage",
    b"[]",
    b"{}",
    b"null",
    b'{"editor.fontSize": 12}',
    b'{"home": "x", "port_base": "29000"}',
    b'{"home": null, "port_base": 29000}',
    b'{"home": "x", "port_base": true}',
    b'{"home": "x", "port_base": 29000, "of_tomorrow": 1}',
    b'{"home": "x", "port_base": 29000, "window_s": "fast"}',
    b'{"home": ' + b"[" * 100_000,
]


@pytest.mark.parametrize("data", FOREIGN, ids=range(len(FOREIGN)))
def test_a_torn_or_foreign_settings_file_is_named_with_what_to_do(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "settings.json").write_bytes(data)
    with pytest.raises(
        ConfigError, match=r"settings\.json is not the settings of a local stack .*nearline down --home"
    ):
        options.running_stack(tmp_path)


@pytest.mark.parametrize("command", ["status", "dlq list", "store dump", "replay"])
def test_every_command_that_reads_it_says_so_in_one_line(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text(TORN)
    events = tmp_path / "events.jsonl"
    events.touch()
    with pytest.raises(SystemExit) as ended:
        run([*command.split(), *([str(events)] if command == "replay" else []), "--home", str(tmp_path)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "settings.json is not the settings of a local stack" in line


def test_what_is_saved_is_read_back_and_nothing_else_lies_beside_it(tmp_path: Path) -> None:
    made = StackSettings(home=tmp_path / "stack", port_base=25_000, window_s=1, ranker_dir=Path("r"))
    made.save()
    assert StackSettings.load(made.home) == made
    assert [path.name for path in made.home.iterdir()] == ["settings.json"]


def test_settings_of_an_older_version_that_lack_a_field_have_its_default(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"home": str(tmp_path), "port_base": 25_000}))
    assert StackSettings.load(tmp_path) == replace(StackSettings(), home=tmp_path, port_base=25_000)


def test_no_settings_at_all_say_how_to_start_a_stack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`nearline up` starts one"):
        options.running_stack(tmp_path)


def test_every_part_of_a_stack_has_a_port_of_its_own() -> None:
    ports = list(StackSettings().ports.values())
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("data", [b"", b"[]", b'{"components": 1}', b'{"components": [1]}', b"\xff"])
def test_a_foreign_state_file_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "state.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"state\.json is not a stack's state"):
        read_state(tmp_path)


def test_a_supervisor_that_stands_still_is_told_by_the_age_of_its_state(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path)
    settings.save()
    Supervisor(settings, []).write_state()
    assert 0 <= state_age_s(tmp_path) < 60
    assert state_age_s(tmp_path, lambda: time.monotonic() + 300) > 299
    (tmp_path / "state.json").write_text('{"components": []}')  # of an older version
    assert state_age_s(tmp_path) == 0


@pytest.mark.parametrize("data", [b"", b"\xff", b"a\0b"])
def test_a_torn_note_of_the_last_stack_counts_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "current").write_bytes(data)
    assert current_home(tmp_path / "stack") == tmp_path / "stack"
