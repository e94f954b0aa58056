"""Check that every contract reads all data ever written (`nearline schemas check`), and freeze new versions.

`history/` holds every version that was ever written, `history/fingerprints.json` their fingerprints, so that no
old version changes or vanishes unseen. The current schema must read all of them (Confluent's BACKWARD_TRANSITIVE):
upgrade readers before writers, because a reader does not know versions younger than itself.
"""

import json
from pathlib import Path
from typing import Any

from fastavro.schema import SchemaParseException

from schemas import avro
from schemas.compatible import differences
from schemas.compiled import compile_codec
from schemas.errors import IncompatibleSchema

LOCK = "fingerprints.json"
_PACKAGE = Path(__file__).parent


def check(folder: Path = _PACKAGE) -> list[str]:
    """Every problem of the contracts in a folder, in words that name the file; empty if all is well."""
    problems = _changed_history(folder)
    for name in avro.NAMES:
        problems += _incompatible(folder, name) or _unfrozen(folder, name)
    return problems


def freeze(folder: Path = _PACKAGE) -> list[Path]:
    """Write each changed contract as the next version in `history/` and return the files written.

    Raises IncompatibleSchema, and writes nothing, if a contract cannot read its history or history was changed.
    """
    problems = [problem for name in avro.NAMES for problem in _incompatible(folder, name)]
    if problems := _changed_history(folder) + problems:
        raise IncompatibleSchema("; ".join(problems))
    written = []
    for name in avro.NAMES:
        if _unfrozen(folder, name):
            number = max((number for number, _ in avro.read_history(folder, name)), default=0) + 1
            path = folder / "history" / f"{name}.{number}.avsc"
            path.parent.mkdir(exist_ok=True)
            path.write_text(avro.read_current(folder, name).text, "utf-8")
            written.append(path)
    if written:
        lines = json.dumps(_fingerprints(folder), indent=2, sort_keys=True)
        (folder / "history" / LOCK).write_text(lines + "\n", "utf-8")
    return written


def _incompatible(folder: Path, name: str) -> list[str]:
    """Why the current contract cannot be used: no valid schema, no codec for it, or an older version it cannot read."""
    try:
        current = avro.read_current(folder, name)
        compile_codec(current.parsed)
        versions = avro.read_history(folder, name)
    except (OSError, ValueError, SchemaParseException, AttributeError, NotImplementedError) as error:
        return [f"{name}.avsc cannot be used: {error}"]
    problems = [] if current.has_crc else [f"{name}.avsc: its last field must be {avro.CRC_FIELD}"]
    for number, version in versions:
        found = differences(current.parsed, version.parsed, name)
        problems += [f"{name}.avsc cannot read history/{name}.{number}.avsc: {each}" for each in found]
    return problems


def _unfrozen(folder: Path, name: str) -> list[str]:
    versions = avro.read_history(folder, name)
    if versions and versions[-1][1].fingerprint == avro.read_current(folder, name).fingerprint:
        return []
    return [f"{name}.avsc is not yet in history: run `nearline schemas freeze` once it is final"]


def _changed_history(folder: Path) -> list[str]:
    try:
        locked = json.loads((folder / "history" / LOCK).read_text("utf-8"))
        found = _fingerprints(folder)
    except FileNotFoundError:
        return [] if not (folder / "history").exists() else [f"history/{LOCK} is missing"]
    except (OSError, ValueError, SchemaParseException) as error:
        return [f"history cannot be read: {error}"]
    problems = [f"history/{file} is missing" for file in locked.keys() - found.keys()]
    problems += [f"history/{file} was never frozen" for file in found.keys() - locked.keys()]
    same = locked.keys() & found.keys()
    problems += [f"history/{file} was changed: restore it" for file in same if locked[file] != found[file]]
    return sorted(problems)


def _fingerprints(folder: Path) -> dict[str, Any]:
    return {
        f"{name}.{number}.avsc": version.fingerprint.hex()
        for name in avro.NAMES
        for number, version in avro.read_history(folder, name)
    }
