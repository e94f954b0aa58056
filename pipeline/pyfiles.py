"""Build the zip of our packages that is sent along with a job: `flink run -pyfs`, `spark-submit --py-files`."""

import zipfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

#: The packages that every job's workers import, besides the job's own.
SHARED = ("schemas", "storage", "models", "pipeline")
#: Code and Avro contracts; weights and other data are left out.
SUFFIXES = (".py", ".avsc")


def build_zip(target: Path, *roots: str) -> Path:
    """Write the zip of `SHARED` and the job's own `roots` (the same bytes for the same sources) and return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for root in (*SHARED, *roots):
            _add(archive, files(root), root)
    return target


def _add(archive: zipfile.ZipFile, folder: Traversable, path: str) -> None:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        name = f"{path}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            _add(archive, entry, name)
        elif entry.name.endswith(SUFFIXES):
            # a fixed time stamp: Flink distributes files by content, and an equal job should look equal
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), entry.read_bytes())
