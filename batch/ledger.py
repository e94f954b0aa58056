"""What a run has done so far, in a folder: one progress file for each split, written after each chunk's effects.

A file's name contains how many of its split's rows are done, so that a new file never overwrites an old one. The
journal of a chunk holds the store's records of its postings from before the chunk's first attempt.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batch.progress import BackfillProgress
from batch.split_folder import Folder

#: The stored records of postings by id; None for a posting that the store does not have.
Held = dict[str, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the survey found out about a split.

    `base`: number of lines of the file before it. `versions`: versions of rows, by number, whose time another row of
    the same posting has too. `again`: rows of postings with several rows that the store did not have when the run
    began.
    """

    base: int = 0
    versions: Mapping[int, int] = field(default_factory=dict)
    again: frozenset[int] = frozenset()


class Ledger:
    """The files of one run. Every method may raise OSError for a folder that cannot be read or written."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def progress(self, split: int) -> BackfillProgress:
        """The counts of a split so far."""
        return self.progress_many([split])[0]

    def progress_many(self, splits: Iterable[int]) -> list[BackfillProgress]:
        """The counts of several splits so far, with one listing of the folder."""
        newest = self._newest()
        return [self._read(newest[split]) if split in newest else BackfillProgress() for split in splits]

    def rows_done(self) -> int:
        """Rows done in all splits, read from the files' names."""
        return sum(int(name.split("-")[1].split(".")[0]) for name in self._newest().values())

    def commit(self, split: int, before: int, progress: BackfillProgress) -> None:
        """Store a split's new counts, and delete the file of the counts at `before` rows."""
        self._folder.write(f"progress/{_name(split, progress.rows_done)}.json", progress.to_json())
        if before != progress.rows_done:
            self._folder.delete(f"progress/{_name(split, before)}.json")

    def journal(self, split: int, rows_done: int) -> Held | None:
        """The stored records from before the first attempt of the chunk at this row; None if there was no attempt."""
        data = self._folder.read(f"journal/{_name(split, rows_done)}.json")
        if data is None:
            return None
        held: dict[str, str | None] = json.loads(data)
        return {key: None if value is None else base64.b64decode(value) for key, value in held.items()}

    def write_journal(self, split: int, rows_done: int, held: Held) -> None:
        """Store the journal of a chunk; to be called before anything of the chunk is written."""
        plain = {key: None if v is None else base64.b64encode(v).decode() for key, v in held.items()}
        self._folder.write(f"journal/{_name(split, rows_done)}.json", json.dumps(plain).encode())

    def drop_journal(self, split: int, rows_done: int) -> None:
        """Delete a chunk's journal; only once no attempt of its task can still be working on the chunk."""
        self._folder.delete(f"journal/{_name(split, rows_done)}.json")

    def notes(self, split: int) -> Notes:
        """What the survey found out about a split."""
        data = self._folder.read(f"notes/{split:06}.json")
        if data is None:
            return Notes()
        row = json.loads(data)
        versions = {int(number): version for number, version in row["versions"].items()}
        return Notes(base=row["base"], versions=versions, again=frozenset(row["again"]))

    def write_notes(self, split: int, notes: Notes) -> None:
        """Store a split's notes."""
        row = {"base": notes.base, "versions": dict(notes.versions), "again": sorted(notes.again)}
        self._folder.write(f"notes/{split:06}.json", json.dumps(row).encode())

    def _newest(self) -> dict[int, str]:
        """The newest progress file of each split; names sort by split, then by rows done."""
        return {int(name.split("-")[0]): name for name in self._folder.names("progress")}

    def _read(self, name: str) -> BackfillProgress:
        data = self._folder.read(f"progress/{name}")
        # None: the task has replaced this file since the listing
        return (
            self.progress(int(name.split("-", maxsplit=1)[0]))
            if data is None
            else BackfillProgress.from_json(data)
        )


def _name(split: int, rows: int) -> str:
    return f"{split:06}-{rows:012}"
