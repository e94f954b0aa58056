import json
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings

from schemas import avro
from schemas.codec import NO_CRC, SCHEMA_NAMES, Record, decode
from schemas.errors import DecodeError
from schemas.records import (
    FeatureRecord,
    Reason,
    ScoreRequest,
    State,
)
from tests.schemas.strategies import EXAMPLES, records
from tests.schemas.wire import as_datum, written

RecordT = TypeVar("RecordT", bound=Record)
KEPT = json.loads((Path(__file__).parent / "kept_bytes.json").read_text())
"""Records as the code of each version wrote them; they must read for ever, so never write them again."""
VERSIONS = [(name, number) for name in avro.NAMES for number, _ in avro.history(name)]


def version(name: str, number: int) -> avro.Schema:
    return dict(avro.history(name))[number]


def example(name: str) -> Any:
    return next(record for record in EXAMPLES if SCHEMA_NAMES[type(record)] == name)


def test_every_contract_has_an_older_version_with_another_fingerprint() -> None:
    assert {name for name, number in VERSIONS if number > 1} == set(avro.NAMES)
    assert len({version(name, number).fingerprint for name, number in VERSIONS}) == len(VERSIONS)


@pytest.mark.parametrize(("name", "number"), VERSIONS)
def test_every_version_of_every_contract_still_reads(name: str, number: int) -> None:
    record = example(name)
    data = written(version(name, number), {**as_datum(record), "crc": NO_CRC})
    assert decode(type(record), data) == as_far_as(version(name, number), record)


def as_far_as(schema: avro.Schema, record: RecordT) -> RecordT:
    """The record with the defaults of all fields that a version of its contract does not have."""
    known = {field["name"] for field in schema.parsed["fields"]}
    defaults: dict[str, Any] = {one.name: one.default for one in fields(record) if one.name not in known}
    return replace(record, **defaults)


@settings(deadline=None, max_examples=100)
@given(record=records)
def test_any_record_written_by_version_1_still_reads(record: Record) -> None:
    data = written(version(SCHEMA_NAMES[type(record)], 1), as_datum(record))
    assert decode(type(record), data) == as_version_1(record)  # type: ignore[type-var]


def as_version_1(record: Record) -> Record:
    """The record with the defaults of all fields that version 1 of its contract does not have."""
    plain = as_far_as(version(SCHEMA_NAMES[type(record)], 1), record)
    if not isinstance(plain, ScoreRequest):
        return plain
    candidates = tuple(replace(candidate, reason=Reason.UNKNOWN) for candidate in plain.candidates)
    return replace(plain, candidates=candidates, search=as_far_as(version("saved_search", 1), plain.search))


@pytest.mark.parametrize(("name", "number"), VERSIONS)
def test_every_truncation_of_every_version_is_an_error(name: str, number: int) -> None:
    record = example(name)
    data = written(version(name, number), {**as_datum(record), "crc": NO_CRC})
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode(type(record), data[:length])


@pytest.mark.parametrize(("name", "number"), VERSIONS)
def test_bytes_after_a_record_of_any_version_are_an_error(name: str, number: int) -> None:
    record = example(name)
    data = written(version(name, number), {**as_datum(record), "crc": NO_CRC})
    with pytest.raises(DecodeError):
        decode(type(record), data + b"\x00")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["posting_update", "feature_record"])
def test_a_changed_byte_of_version_1_gives_an_error_or_the_only_record_that_it_encodes(name: str) -> None:
    schema, record = version(name, 1), example(name)
    data = bytearray(written(schema, as_datum(record)))
    for position, original in enumerate(data):
        for value in (0, 1, 2, 0x7F, 0x80, 0xFF, original ^ 1):
            data[position] = value
            try:
                found = decode(type(record), bytes(data))
            except DecodeError:
                continue
            assert written(schema, as_datum(found)) == bytes(data)
        data[position] = original


@pytest.mark.parametrize("file", KEPT)
def test_bytes_kept_from_every_version_read_as_what_was_meant(file: str) -> None:
    name, _, number = file.partition(".")
    record = example(name)
    assert decode(type(record), bytes.fromhex(KEPT[file])) == as_far_as(version(name, int(number)), record)


def test_a_state_read_from_an_older_version_is_the_state_itself() -> None:
    record = example("feature_record")
    found = decode(FeatureRecord, written(version("feature_record", 1), as_datum(record)))
    assert found.state is State.CLOSED


@pytest.mark.timeout(60)
def test_the_contracts_work_from_a_zip_as_workers_get_them(tmp_path: Path) -> None:
    home = Path(avro.__file__).parent
    shutil.copytree(home, tmp_path / "pack" / "schemas", ignore=shutil.ignore_patterns("__pycache__"))
    packed = shutil.make_archive(str(tmp_path / "pyfiles"), "zip", tmp_path / "pack")
    data = bytes.fromhex(KEPT["feature_record.1"])
    program = (
        f"import sys; sys.path.insert(0, {packed!r})\n"
        "from schemas import codec, records\n"
        f"assert codec.__file__.startswith({packed!r}), codec.__file__\n"
        f"found = codec.decode(records.FeatureRecord, {data!r})\n"
        "assert codec.decode(records.FeatureRecord, codec.encode(found)) == found\n"
    )
    subprocess.run([sys.executable, "-I", "-c", program], check=True, cwd=tmp_path)
