"""Counts the rows of the whole catalog before the work, and finds the postings that have more than one row.

A version is a row's time, but two different rows of a posting at the same instant take the next free microseconds in
the order of the file (`schemas.events.Versioner`), wherever the file is split. And in mode `missing` a posting that
the run itself brought must go on counting as missing for the catalog's further rows.
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
from schemas.events import Versioner

#: Postings that the store is asked for at once.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A good row: where it stands, and what says whether another is the same event."""

    split: int
    number: int
    instant_us: int
    line: int


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a split has, and how many line ends (0 where a row's number counts from the file's beginning)."""

    rows: int
    lines: int


def look_at(split: Split, folder: Folder) -> Iterator[tuple[str, Place]]:
    """The split's good rows with their postings' ids; its size goes into the folder at the end."""
    rows = 0
    for row in read_rows(split):
        rows += 1
        event = parse(row)
        if not isinstance(event, BadRow):
            line = int.from_bytes(blake2b(data_of(row), digest_size=8).digest(), signed=True)
            yield event.posting_id, Place(split.number, row.number, event.instant_us, line)
    later = split.format is Format.JSON_LINES and split.parts > 1
    size = {"rows": rows, "lines": count_lines(split) if later else 0}
    folder.write(f"survey/{split.number:06}.json", json.dumps(size).encode())


def size_of(split: int, folder: Folder) -> Size:
    """What `look_at` left."""
    data = folder.read(f"survey/{split:06}.json")
    return Size(**json.loads(data or b""))


def conclude(
    splits: Sequence[Split],
    repeated: Iterable[tuple[str, Sequence[Place]]],
    missing: Callable[[Sequence[str]], Sequence[bool]],
    folder: Folder,
) -> int:
    """Write each split's notes; return the number of rows. `repeated`: postings of several rows, with their places."""
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


def concluded(folder: Folder) -> int | None:
    """The rows in all, once the survey is done."""
    data = folder.read("survey.json")
    return None if data is None else int(json.loads(data)["rows"])


def _raised(splits: Sequence[Split], places: Sequence[Place]) -> Iterator[tuple[Place, int]]:
    """The rows whose version is not their time, file by file and in the file's order."""

    def order(place: Place) -> tuple[int, int, int]:
        split = splits[place.split]
        return split.file, split.part if split.format is Format.JSON_LINES else 0, place.number

    versioners: defaultdict[int, Versioner] = defaultdict(Versioner)
    for place in sorted(places, key=order):
        line = place.line.to_bytes(8, signed=True)
        version = versioners[splits[place.split].file].version("", place.instant_us, line)
        if version != place.instant_us:
            yield place, version
