import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas.check import check, freeze
from schemas.compatible import differences
from schemas.errors import IncompatibleSchema


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = Path(schemas.__file__).parent
    for path in home.glob("*.avsc"):
        shutil.copy(path, tmp_path)
    shutil.copytree(home / "history", tmp_path / "history")
    return tmp_path


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in schema["fields"] if each["name"] == name)
    return found


def test_the_contracts_as_they_stand_have_no_problem() -> None:
    assert check() == []


def test_freezing_what_is_frozen_writes_nothing(folder: Path) -> None:
    assert freeze(folder) == []


def test_a_copied_folder_has_no_problem(folder: Path) -> None:
    assert check(folder) == []


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        (
            "alert",
            lambda s: field(s, "version").update(type="int"),
            "alert.version: long cannot be read as int",
        ),
        (
            "alert",
            lambda s: field(s, "p_yes").update(type="string"),
            "p_yes: double cannot be read as string",
        ),
        ("alert", lambda s: s.update(name="Notice"), "Notice"),
        ("alert", lambda s: s["fields"].remove(field(s, "query")), "other fields than its schema"),
        (
            "alert",
            lambda s: s["fields"].insert(0, {"name": "extra", "type": "string"}),
            "other fields than its schema",
        ),
        ("alert", lambda s: s["fields"].pop(), "its last field must be crc"),
        ("feature_record", lambda s: field(s, "state")["type"]["symbols"].remove("closed"), "closed"),
        (
            "feature_record",
            lambda s: field(s, "company").update(type="string", default=""),
            "null cannot be read as string",
        ),
        (
            "feature_record",
            lambda s: field(s, "title").update(type={"type": "map", "values": "int"}, default={}),
            "no code for",
        ),
        ("score_request", lambda s: field(s, "candidates").update(type="bytes"), "score_request.candidates"),
        ("dead_letter", lambda s: field(s, "crc")["type"].update(size=8), "different fixed types"),
    ],
)
def test_a_change_that_older_data_cannot_follow_is_a_problem_and_is_not_frozen(
    folder: Path, name: str, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    kept = sorted((folder / "history").iterdir())
    edit(folder / f"{name}.avsc", change)
    problems = check(folder)
    assert len([each for each in problems if problem in each]) >= 1, problems
    assert all(each.startswith(f"{name}.avsc") for each in problems)
    with pytest.raises(IncompatibleSchema):
        freeze(folder)
    assert sorted((folder / "history").iterdir()) == kept


def test_a_compatible_change_is_a_problem_until_it_is_frozen_as_the_next_version(folder: Path) -> None:
    path = folder / "saved_search.avsc"
    edit(path, lambda schema: field(schema, "top_k").update(type="long"))
    assert check(folder) == [
        "saved_search.avsc is not yet in history: run `nearline schemas freeze` once it is final"
    ]
    assert freeze(folder) == [folder / "history" / "saved_search.4.avsc"]
    assert check(folder) == []
    edit(path, lambda schema: field(schema, "top_k").update(type="int"))
    assert check(folder) == [
        "saved_search.avsc cannot read history/saved_search.4.avsc: saved_search.top_k: long cannot be read as int"
    ]


def test_a_file_that_is_no_schema_is_a_problem(folder: Path) -> None:
    (folder / "alert.avsc").write_text("{")
    assert check(folder)[0].startswith("alert.avsc cannot be used")
    (folder / "alert.avsc").write_text('{"type": "nonsense"}')
    assert check(folder)[0].startswith("alert.avsc cannot be used")
    (folder / "alert.avsc").unlink()
    assert check(folder)[0].startswith("alert.avsc cannot be used")


def test_history_that_vanished_changed_or_came_from_nowhere_is_a_problem(folder: Path) -> None:
    history = folder / "history"
    (history / "alert.1.avsc").unlink()
    edit(history / "dead_letter.1.avsc", lambda schema: schema["fields"].pop())
    shutil.copy(history / "saved_search.1.avsc", history / "saved_search.9.avsc")
    problems = check(folder)
    assert "history/alert.1.avsc is missing" in problems
    assert "history/dead_letter.1.avsc was changed: restore it" in problems
    assert "history/saved_search.9.avsc was never frozen" in problems
    with pytest.raises(IncompatibleSchema):
        freeze(folder)
    (history / "fingerprints.json").unlink()
    assert check(folder)[0] == "history/fingerprints.json is missing"


def test_the_first_freeze_of_a_new_folder_makes_its_history(folder: Path) -> None:
    shutil.rmtree(folder / "history")
    assert len(check(folder)) == 6
    assert len(freeze(folder)) == 6
    assert check(folder) == []


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


A_INT, A_LONG = {"name": "a", "type": "int"}, {"name": "a", "type": "long"}
ENUM_2 = {"type": "enum", "name": "E", "symbols": ["x", "y"]}
ENUM_1 = {"type": "enum", "name": "E", "symbols": ["x"]}


@pytest.mark.parametrize(
    ("reader", "writer", "fits"),
    [
        (record(A_LONG), record(A_INT), True),
        (record(A_INT), record(A_LONG), False),
        (record(A_INT), record(A_INT, {"name": "b", "type": "int"}), True),
        (record(A_INT, {"name": "b", "type": "int"}), record(A_INT), False),
        (record(A_INT, {"name": "b", "type": "int", "default": 0}), record(A_INT), True),
        (ENUM_2, ENUM_1, True),
        (ENUM_1, ENUM_2, False),
        ({**ENUM_1, "default": "x"}, ENUM_2, True),
        (["null", "string"], "string", True),
        ("string", ["null", "string"], False),
        (["null", "long"], ["null", "int"], True),
        (["null", "int"], ["null", "long"], False),
        ("bytes", "string", True),
        ("double", "long", True),
        ("long", "double", False),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, True),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "string"}, False),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, True),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "string"}, False),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 8}, False),
    ],
)
def test_a_reader_follows_a_writer_as_the_avro_specification_says(
    reader: Any, writer: Any, fits: bool
) -> None:
    assert (differences(reader, writer, "r") == []) is fits
