"""What a run has done so far, in a folder: one small file a split, written whole after each chunk's effects.

A file's name holds how many of its split's rows are done, so that a newer one never replaces an older one in place; the
journal of a chunk holds what the store had of its postings before the chunk first touched them.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batch.progress import Progress
from batch.split_folder import Folder

Held = dict[str, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the survey says of a split.

    `base`: lines of the file before it; `versions`: of rows whose time another row of the posting has too; `again`:
    rows of postings that the store did not have when the run began, though another row of the catalog brings them as
    well.
    """

    base: int = 0
    versions: Mapping[int, int] = field(default_factory=dict)
    again: frozenset[int] = frozenset()


class Ledger:
    """The files of one run. Every method may raise OSError for a folder that cannot be read or written."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def progress(self, split: int) -> Progress:
        """How far a split is."""
        return self.progress_many([split])[0]

    def progress_many(self, splits: Iterable[int]) -> list[Progress]:
        """How far each is, from one listing."""
        newest = self._newest()
        return [self._read(newest[split]) if split in newest else Progress() for split in splits]

    def rows_done(self) -> int:
        """Rows done in all splits, by the files' names alone."""
        return sum(int(name.split("-")[1].split(".")[0]) for name in self._newest().values())

    def commit(self, split: int, before: int, progress: Progress) -> None:
        """Remember that a split is further; whoever saw it at `before` rows counted from there."""
        self._folder.write(f"progress/{_name(split, progress.rows_done)}.json", progress.to_json())
        if before != progress.rows_done:
            self._folder.delete(f"progress/{_name(split, before)}.json")

    def journal(self, split: int, rows_done: int) -> Held | None:
        """What the store held before the chunk from this row on was first begun; None when it never was."""
        data = self._folder.read(f"journal/{_name(split, rows_done)}.json")
        if data is None:
            return None
        held: dict[str, str | None] = json.loads(data)
        return {key: None if value is None else base64.b64decode(value) for key, value in held.items()}

    def write_journal(self, split: int, rows_done: int, held: Held) -> None:
        """Remember what the store holds, before anything of the chunk is written."""
        plain = {key: None if v is None else base64.b64encode(v).decode() for key, v in held.items()}
        self._folder.write(f"journal/{_name(split, rows_done)}.json", json.dumps(plain).encode())

    def drop_journal(self, split: int, rows_done: int) -> None:
        """Forget a chunk's journal; another attempt of its task must not need it any more."""
        self._folder.delete(f"journal/{_name(split, rows_done)}.json")

    def notes(self, split: int) -> Notes:
        """What the survey left for a split."""
        data = self._folder.read(f"notes/{split:06}.json")
        if data is None:
            return Notes()
        row = json.loads(data)
        versions = {int(number): version for number, version in row["versions"].items()}
        return Notes(base=row["base"], versions=versions, again=frozenset(row["again"]))

    def write_notes(self, split: int, notes: Notes) -> None:
        """Leave a split's notes."""
        row = {"base": notes.base, "versions": dict(notes.versions), "again": sorted(notes.again)}
        self._folder.write(f"notes/{split:06}.json", json.dumps(row).encode())

    def _newest(self) -> dict[int, str]:
        """Each split's newest file: the names sort by split and rows."""
        return {int(name.split("-")[0]): name for name in self._folder.names("progress")}

    def _read(self, name: str) -> Progress:
        data = self._folder.read(f"progress/{name}")
        # the task went on between the listing and the reading
        return (
            self.progress(int(name.split("-", maxsplit=1)[0])) if data is None else Progress.from_json(data)
        )


def _name(split: int, rows: int) -> str:
    return f"{split:06}-{rows:012}"
