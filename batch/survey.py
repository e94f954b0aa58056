"""Read the whole catalog once before the work: count its rows, and find rows that depend on others of their posting.

A version is a row's time, but two different rows of a posting at the same instant take the next free microseconds in
the order of the file (`schemas.versions.Versioner`), however the file is split. And in mode `missing`, all rows of a
posting that the store did not have when the run began are worked on, also after the first of them has brought the
posting.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from batch.catalog import Format, Split
from batch.ledger import Ledger, Notes
from batch.readers import count_lines, read_rows
from batch.rows import BadRow, data_of, parse
from batch.split_folder import Folder
from schemas.events import DOCUMENTED, EventFormat
from schemas.versions import Versioner

#: Postings that the store is asked for at once.
PAGE = 500


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A valid row's split, number and time, and a hash of its bytes (`line`), equal for two rows of the same event."""

    split: int
    number: int
    instant_us: int
    line: int


@dataclass(frozen=True, slots=True)
class SplitSize:
    """How many rows and lines a split has; `lines` is 0 where row numbers count from the file's beginning."""

    rows: int
    lines: int


def survey_split(
    split: Split, folder: Folder, how: EventFormat = DOCUMENTED
) -> Iterator[tuple[str, RowPlace]]:
    """The split's valid rows with their postings' ids; writes the split's size to the folder at the end."""
    rows = 0
    for row in read_rows(split):
        rows += 1
        event = parse(row, how)
        if not isinstance(event, BadRow):
            line = int.from_bytes(blake2b(data_of(row), digest_size=8).digest(), signed=True)
            yield event.posting_id, RowPlace(split.number, row.number, event.instant_us, line)
    later = split.format is Format.JSON_LINES and split.parts > 1
    size = {"rows": rows, "lines": count_lines(split) if later else 0}
    folder.write(f"survey/{split.number:06}.json", json.dumps(size).encode())


def size_of(split: int, folder: Folder) -> SplitSize:
    """The size that `survey_split` wrote."""
    data = folder.read(f"survey/{split:06}.json")
    return SplitSize(**json.loads(data or b""))


def finish_survey(
    splits: Sequence[Split],
    repeated: Iterable[tuple[str, Sequence[RowPlace]]],
    missing: Callable[[Sequence[str]], Sequence[bool]],
    folder: Folder,
) -> int:
    """Write the notes of each split and return the number of rows in all.

    `repeated`: the postings with more than one row, and those rows. `missing`: which postings the store does not have.
    """
    versions: defaultdict[int, dict[int, int]] = defaultdict(dict)
    again: defaultdict[int, set[int]] = defaultdict(set)
    remaining = iter(repeated)
    while page := list(islice(remaining, PAGE)):
        absent = missing([posting_id for posting_id, _ in page])
        for (_, places), is_missing in zip(page, absent, strict=True):
            for place, version in _raised(splits, places):
                versions[place.split][place.number] = version
            for place in places if is_missing else ():
                again[place.split].add(place.number)
    sizes = [size_of(split.number, folder) for split in splits]
    ledger, base = Ledger(folder), 0
    for split, size in zip(splits, sizes, strict=True):
        base = 0 if split.part == 0 else base
        notes = Notes(base=base, versions=versions[split.number], again=frozenset(again[split.number]))
        base += size.lines
        if notes != Notes():
            ledger.write_notes(split.number, notes)
    total = sum(size.rows for size in sizes)
    folder.write("survey.json", json.dumps({"rows": total}).encode())
    return total


def surveyed_rows(folder: Folder) -> int | None:
    """The number of rows in all; None until the survey is finished."""
    data = folder.read("survey.json")
    return None if data is None else int(json.loads(data)["rows"])


def _raised(splits: Sequence[Split], places: Sequence[RowPlace]) -> Iterator[tuple[RowPlace, int]]:
    """The rows of one posting whose version is greater than their time, with that version."""

    def order(place: RowPlace) -> tuple[int, int, int]:
        split = splits[place.split]
        return split.file, split.part if split.format is Format.JSON_LINES else 0, place.number

    versioners: defaultdict[int, Versioner] = defaultdict(Versioner)
    for place in sorted(places, key=order):
        line = place.line.to_bytes(8, signed=True)
        version = versioners[splits[place.split].file].version("", place.instant_us, line)
        if version != place.instant_us:
            yield place, version
