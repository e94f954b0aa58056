"""The Avro schemas beside this module: the current ones, every older version in `history/`, and their fingerprints."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from fastavro import parse_schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

NAMES = ("posting_update", "feature_record", "saved_search", "score_request", "alert", "dead_letter")
"""The contracts, by the stem of their `.avsc` files."""

CRC_FIELD = "crc"
"""Last field of every contract since version 2."""

MARKER = b"\xc3\x01"
"""First two bytes of Avro's single-object encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One version of one contract: its text, what fastavro makes of it and its fingerprint.

    The fingerprint is CRC-64-AVRO of the parsing canonical form, 8 bytes, little-endian. `has_crc`: the last field is
    the checksum of the bytes before it.
    """

    name: str
    text: str
    parsed: Any
    fingerprint: bytes
    has_crc: bool

    @property
    def header(self) -> bytes:
        """The ten bytes before a body in single-object encoding."""
        return MARKER + self.fingerprint


def load(name: str, text: str) -> Schema:
    """Parse one schema text; raises ValueError (JSON) or fastavro's SchemaParseException."""
    parsed = parse_schema(json.loads(text))
    # The hexadecimal digest is already in the byte order that goes on the wire.
    digest = fingerprint(to_parsing_canonical_form(parsed), "CRC-64-AVRO")
    fields = parsed.get("fields") if isinstance(parsed, dict) else None
    if not fields:
        raise ValueError(f"the schema of {name} is no record")
    return Schema(
        name=name,
        text=text,
        parsed=parsed,
        fingerprint=bytes.fromhex(digest),
        has_crc=fields[-1]["name"] == CRC_FIELD,
    )


def read_current(folder: Traversable, name: str) -> Schema:
    """The schema that is written now; raises OSError or what `load` raises."""
    return load(name, (folder / f"{name}.avsc").read_text("utf-8"))


def read_history(folder: Traversable, name: str) -> list[tuple[int, Schema]]:
    """Every version that was ever written, as (number, schema), oldest first; raises as `read_current` does."""
    found = []
    for path in (folder / "history").iterdir() if (folder / "history").is_dir() else []:
        stem, _, number = path.name.removesuffix(".avsc").rpartition(".")
        if path.name.endswith(".avsc") and stem == name and number.isdigit():
            found.append((int(number), load(name, path.read_text("utf-8"))))
    return sorted(found, key=lambda pair: pair[0])


@cache
def current(name: str) -> Schema:
    """The schema that this code writes, also when the package is inside a zip shipped to workers."""
    return read_current(resources.files(__package__), name)


@cache
def history(name: str) -> list[tuple[int, Schema]]:
    """The versions of one of our contracts, as `read_history` gives them."""
    return read_history(resources.files(__package__), name)
