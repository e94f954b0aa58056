"""What a catalog consists of: its files, their formats, and the splits that tasks read."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow.parquet
from pyarrow import fs

from batch.split_folder import open_filesystem
from schemas.errors import ConfigError

_GLOB = "*?["


class Format(StrEnum):
    """A file's format, told by its first bytes and never by its name."""

    JSON_LINES = "json lines"
    GZIP = "gzipped json lines"
    PARQUET = "parquet"
    AVRO = "avro"


_MAGIC = {b"\x1f\x8b": Format.GZIP, b"PAR1": Format.PARQUET, b"Obj\x01": Format.AVRO}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """A file of the catalog; `stamp` changes when it is written again."""

    address: str
    format: Format
    size: int
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Part `part` of `parts` of a file: a byte range of plain lines, else every `parts`-th page, block or row group."""

    number: int
    file: int
    address: str
    format: Format
    size: int
    part: int
    parts: int


def list_files(addresses: Sequence[str]) -> list[CatalogFile]:
    """The files that paths, folders, globs and URIs name, sorted; a folder's but hidden ones and `_*`, at any depth.

    Raises ConfigError when one names nothing.
    """
    found: dict[str, CatalogFile] = {}
    for address in addresses:
        for filesystem, info in _infos(address):
            prefix = "" if "://" not in address else address.split("://")[0] + "://"
            file = CatalogFile(
                address=prefix + info.path,
                format=_format(filesystem, info),
                size=info.size,
                stamp=str(info.mtime_ns),
            )
            found[file.address] = file
    return [found[address] for address in sorted(found)]


def split_files(files: Sequence[CatalogFile], *, parallelism: int, split_bytes: int) -> list[Split]:
    """Splits that keep `parallelism` tasks busy; the same for the same files and settings."""
    splits: list[Split] = []
    for number, file in enumerate(files):
        parts = _parts(file, parallelism, split_bytes)
        splits += [
            Split(
                number=len(splits) + part,
                file=number,
                address=file.address,
                format=file.format,
                size=file.size,
                part=part,
                parts=parts,
            )
            for part in range(parts)
        ]
    return splits


def _parts(file: CatalogFile, parallelism: int, split_bytes: int) -> int:
    """Plain lines by size; what cannot be entered in its middle is read by at most `parallelism` tasks."""
    by_size = -(-file.size // split_bytes)
    if file.format is Format.JSON_LINES:
        return max(1, by_size)
    if file.format is Format.PARQUET:
        return max(1, min(by_size * parallelism, _row_groups(file.address)))
    return parallelism if file.size >= split_bytes // 16 else 1


def _row_groups(address: str) -> int:
    """A damaged file is one split, whose reader says what is wrong with it."""
    filesystem, path = open_filesystem(address)
    try:
        return int(pyarrow.parquet.ParquetFile(filesystem.open_input_file(path)).num_row_groups)
    except (OSError, ValueError):
        return 1


def _infos(address: str) -> list[tuple[Any, Any]]:
    is_pattern = "://" not in address and any(character in address for character in _GLOB)
    # pathlib takes no absolute pattern
    if is_pattern and (paths := glob.glob(address, recursive=True)):  # noqa: PTH207
        return [pair for path in sorted(paths) for pair in _infos(path)]
    filesystem, path = open_filesystem(address)
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.File:
        return [(filesystem, info)]
    found = []
    if info.type == fs.FileType.Directory:
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
        found = [f for f in found if f.type == fs.FileType.File and not _hidden(f.path[len(path) :])]
    if not found:
        raise ConfigError(f"catalog {address}: no such file, or a folder without files")
    return [(filesystem, f) for f in found]


def _hidden(path: str) -> bool:
    return any(name.startswith((".", "_")) for name in path.split("/") if name)


def _format(filesystem: Any, info: Any) -> Format:
    # pyarrow would unpack what is called .gz
    with filesystem.open_input_stream(info.path, compression=None) as file:
        begin = bytes(file.read(4))
    return next((f for magic, f in _MAGIC.items() if begin.startswith(magic)), Format.JSON_LINES)
