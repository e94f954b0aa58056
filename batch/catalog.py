"""List the files of a catalog, find out their formats, and divide them into splits for the tasks."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow.parquet
from pyarrow import fs

from batch.split_folder import open_filesystem
from schemas.errors import ConfigError
from schemas.lines import GZIP_MAGIC, MAGIC_BYTES, PACKED

_GLOB = "*?["


class Format(StrEnum):
    """A file's format, which its first bytes decide, not its name."""

    JSON_LINES = "json lines"
    GZIP = "gzipped json lines"
    PARQUET = "parquet"
    AVRO = "avro"
    PACKED = "another compression"


_MAGIC = {GZIP_MAGIC: Format.GZIP, b"PAR1": Format.PARQUET, b"Obj\x01": Format.AVRO}
_MAGIC |= dict.fromkeys(PACKED, Format.PACKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """A file of the catalog; `stamp` is its modification time."""

    address: str
    format: Format
    size: int
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Part `part` of a file's `parts`: a byte range of plain lines, else every `parts`-th page, block or row group."""

    number: int
    file: int
    address: str
    format: Format
    size: int
    part: int
    parts: int


def list_files(addresses: Sequence[str]) -> list[CatalogFile]:
    """The files of paths, globs, URIs and folders (with subfolders, without hidden files and `_*`), sorted by address.

    Raises ConfigError for an address without files.
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
    """Number of splits: plain lines by size, Parquet by row groups, other large files one for each parallel task."""
    by_size = -(-file.size // split_bytes)
    if file.format is Format.JSON_LINES:
        return max(1, by_size)
    if file.format is Format.PARQUET:
        return max(1, min(by_size * parallelism, _row_groups(file.address)))
    if file.format is Format.PACKED:
        return 1
    return parallelism if file.size >= split_bytes // 16 else 1


def _row_groups(address: str) -> int:
    """Row groups of a Parquet file; 1 for a damaged file, whose reader then reports the damage."""
    filesystem, path = open_filesystem(address)
    try:
        return int(pyarrow.parquet.ParquetFile(filesystem.open_input_file(path)).num_row_groups)
    except (OSError, ValueError):
        return 1


def _infos(address: str) -> list[tuple[Any, Any]]:
    is_pattern = "://" not in address and any(character in address for character in _GLOB)
    # pathlib's glob takes no absolute pattern
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
    # compression=None, since pyarrow would unpack a file whose name ends in .gz
    with filesystem.open_input_stream(info.path, compression=None) as file:
        begin = bytes(file.read(MAGIC_BYTES))
    return next((f for magic, f in _MAGIC.items() if begin.startswith(magic)), Format.JSON_LINES)
