"""A folder that every task reaches: on this machine, or at a URI that pyarrow knows (hdfs://, s3://, gs://)."""

import uuid
from pathlib import Path
from typing import Any

from pyarrow import fs

from schemas.errors import ConfigError


def open_filesystem(address: str) -> tuple[Any, str]:
    """The file system and the path in it of a path or URI. Raises ConfigError."""
    if "://" not in address:
        return fs.LocalFileSystem(), str(Path(address).resolve())
    try:
        found, path = fs.FileSystem.from_uri(address)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{address}: {error}") from error
    return found, path


class Folder:
    """Small files under one address, each written whole or not at all."""

    def __init__(self, address: str) -> None:
        """Raises ConfigError for an address that names no folder."""
        self._fs, self._path = open_filesystem(address.rstrip("/"))
        #: Means the same wherever a worker runs.
        self.address = address.rstrip("/") if "://" in address else self._path

    def read(self, name: str) -> bytes | None:
        """A file's bytes, None where there is none."""
        try:
            with self._fs.open_input_stream(f"{self._path}/{name}", compression=None) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file that nobody ever sees in part."""
        path = f"{self._path}/{name}"
        self._fs.create_dir(path.rpartition("/")[0], recursive=True)
        # two attempts of one task may write at once
        part = f"{path}.{uuid.uuid4().hex}.part"
        with self._fs.open_output_stream(part) as file:
            file.write(data)
        self._fs.move(part, path)

    def names(self, below: str) -> list[str]:
        """The names of the whole files directly below a folder, sorted; none where it is missing."""
        selector = fs.FileSelector(f"{self._path}/{below}", allow_not_found=True)
        infos = self._fs.get_file_info(selector)
        return sorted(i.base_name for i in infos if i.type == fs.FileType.File and i.extension != "part")

    def folders(self) -> list[str]:
        """The names of the folders directly below."""
        infos = self._fs.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        return sorted(i.base_name for i in infos if i.type == fs.FileType.Directory)

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is fine."""
        try:
            self._fs.delete_file(f"{self._path}/{name}")
        except FileNotFoundError:
            return
