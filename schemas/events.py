"""The documented event and posting formats (`schemas/README.md`): JSON Lines in, updates and saved searches out.

An event is `{ts, op, id, posting}`; a line without `op` is a whole posting of a plain list, which says that the posting
is open at the line's time. Stream, batch and
tests all read through this module, so that one line means one thing everywhere.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from schemas import fields
from schemas.errors import EventError
from schemas.records import NEVER, Op, Posting, PostingUpdate, SavedSearch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GZIP_MAGIC = b"\x1f\x8b"
_OPS = {op.value: op for op in Op}
_NEED_POSTING = (Op.ADD, Op.UPDATE, Op.REPOST)
_DROP_POSTING = (Op.CLOSE, Op.REMOVE)
_DEFAULTS = SavedSearch(search_id="", query="")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEvent:
    """One parsed line; `instant_us` is the event's time, from which `Versioner` makes its version.

    `listed`: it is a row of a plain list.
    """

    posting_id: str
    op: Op
    instant_us: int
    posting: Posting | None
    listed: bool = False

    def update(self, version: int, as_of: int | None = None) -> PostingUpdate:
        """The update with this version; `as_of`: when a list says that the posting is open, by default its version."""
        listed_at = (version if as_of is None else as_of) if self.listed else NEVER
        return PostingUpdate(
            posting_id=self.posting_id, version=version, op=self.op, posting=self.posting, as_of=listed_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A line that is no event: its number (from 1), its bytes and why it cannot be read."""

    number: int
    data: bytes
    reason: str


class Versioner:
    """Gives each event its version: its time, or the posting's next free microsecond if another event has that time.

    An event that comes after younger ones keeps its older version, since `merge` puts events in order. A line equal
    to an earlier one, byte for byte, is the same event and gets the same version: a duplicate must not begin an
    episode.
    """

    def __init__(self) -> None:
        self._used: dict[str, dict[int, int]] = {}

    def version(self, posting_id: str, instant_us: int, line: bytes) -> int:
        """The version of the next event of a posting, in the order of the file."""
        used, seen = self._used.setdefault(posting_id, {}), hash(line)
        while used.setdefault(instant_us, seen) != seen:
            instant_us += 1
        return instant_us


def parse_line(line: bytes | str) -> ParsedEvent:
    """One event or posting; raises EventError, whose message names the field."""
    return parse_row(parse_object(line))


def parse_row(row: dict[str, Any]) -> ParsedEvent:
    """One event or posting from its JSON object; raises EventError, whose message names the field."""
    if "op" not in row:
        return ParsedEvent(
            posting_id=_identifier(row.get("id"), "id"),
            op=Op.ADD,
            instant_us=_catalog_instant(row),
            posting=_posting(row, ""),
            listed=True,
        )
    name = row["op"]
    op = _OPS.get(name) if isinstance(name, str) else None
    if op is None:
        raise EventError(f"op must be one of {', '.join(_OPS)}, not {_short(name)}")
    return ParsedEvent(
        posting_id=_identifier(row.get("id"), "id"),
        op=op,
        instant_us=instant_us(row.get("ts"), "ts"),
        posting=_event_posting(op, row.get("posting")),
    )


def read_events(source: Path | str | BinaryIO) -> Iterator[PostingUpdate | BrokenLine]:
    """The updates of a file (plain or gzip) in its order, versions given; blank lines are skipped.

    Raises EventError for a gzip file that breaks off, after all lines before the break.
    """
    versioner = Versioner()
    for number, line in _lines(source):
        try:
            event = parse_line(line)
        except EventError as error:
            yield BrokenLine(number=number, data=line, reason=str(error))
            continue
        yield event.update(versioner.version(event.posting_id, event.instant_us, line))


def broken_id(line: BrokenLine) -> str | None:
    """The id of the posting that a broken line is about, if at least that can be read."""
    try:
        return _identifier(parse_object(line.data).get("id"), "id")
    except EventError:
        return None


def parse_search(row: dict[str, Any]) -> SavedSearch:
    """A saved search from its JSON object; raises EventError, whose message names the field."""
    remote = fields.remote(row.get("remote"), "remote")
    return SavedSearch(
        search_id=_identifier(row.get("search_id", row.get("id")), "search_id"),
        query=fields.label(row.get("query"), "query") or "",
        location=fields.label(row.get("location"), "location"),
        remote=None if remote is None else remote != "onsite",
        employment_type=fields.employment_type(row.get("employment_type"), "employment_type"),
        threshold=float(_number(row, "threshold", _DEFAULTS.threshold, 1, whole=False)),
        top_k=int(_number(row, "top_k", _DEFAULTS.top_k, 2**31 - 1, whole=True)),
    )


def read_searches(source: Path | str | BinaryIO) -> list[SavedSearch]:
    """All saved searches of a file; raises EventError with the number of the first broken line."""
    searches = []
    for number, line in _lines(source):
        try:
            searches.append(parse_search(parse_object(line)))
        except EventError as error:
            raise EventError(f"line {number}: {error}") from error
    return searches


def instant_us(value: Any, name: str) -> int:
    """UTC microseconds of an ISO 8601 time with any offset; without one it is UTC. Raises EventError before 1970."""
    if not isinstance(value, str):
        raise EventError(f"{name} must be an ISO 8601 time, not {_short(value)}")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise EventError(f"{name} must be an ISO 8601 time, not {_short(value)}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    instant = (moment - _EPOCH) // _MICROSECOND
    if instant < 0:
        raise EventError(f"{name} is before 1970: {_short(value)}")
    return instant


def parse_object(line: bytes | str) -> dict[str, Any]:
    """The JSON object on one line; raises EventError."""
    try:
        row = json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line)
    except (ValueError, RecursionError) as error:
        raise EventError(f"not a line of JSON: {error}") from error
    if not isinstance(row, dict):
        raise EventError(f"a line must be a JSON object, not {_short(row)}")
    return row


def _catalog_instant(row: dict[str, Any]) -> int:
    for name in ("updated_at", "posted_at"):
        if row.get(name):
            return instant_us(row[name], name)
    return 0


def _event_posting(op: Op, posting: Any) -> Posting | None:
    if posting is None and op in _NEED_POSTING:
        raise EventError(f"posting is missing, and op {op} needs it")
    if posting is None or op in _DROP_POSTING:
        return None
    if not isinstance(posting, dict):
        raise EventError(f"posting must be an object, not {_short(posting)}")
    return _posting(posting, "posting.")


def _posting(row: dict[str, Any], path: str) -> Posting:
    title = fields.label(row.get("title"), f"{path}title") or ""
    description = fields.text(row.get("description"), f"{path}description") or ""
    if not title and not description.strip():
        raise EventError(f"{path}title and {path}description are both missing or blank")
    return Posting(
        title=title,
        company=fields.label(row.get("company"), f"{path}company"),
        location=fields.label(row.get("location"), f"{path}location"),
        employment_type=fields.employment_type(row.get("employment_type"), f"{path}employment_type"),
        remote=fields.remote(row.get("remote"), f"{path}remote"),
        salary=fields.salary(row.get("salary"), f"{path}salary"),
        description=description,
    )


def _identifier(value: Any, name: str) -> str:
    identifier = fields.text(value, name)
    if not identifier or not identifier.strip():
        raise EventError(f"{name} is missing or blank")
    return identifier


def _number(row: dict[str, Any], name: str, default: float, most: int, *, whole: bool) -> float:
    value = row.get(name)
    if value is None:
        return default
    allowed = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value <= most:
        raise EventError(f"{name} must be a {'whole ' * whole}number from 0 to {most}, not {_short(value)}")
    return value


def _short(value: Any) -> str:
    return repr(value)[:80]


def _lines(source: Path | str | BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank, without their ends."""
    with _opened(source) as file:
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                if stripped := line.strip():
                    yield number, stripped
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise EventError(f"the gzip file breaks off after line {number}: {error}") from error


@contextmanager
def _opened(source: Path | str | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path | str):
        with Path(source).open("rb") as file, _opened(file) as lines:
            yield lines
        return
    magic = source.peek(2)[:2] if hasattr(source, "peek") else b""
    if magic != _GZIP_MAGIC:
        yield source
        return
    with gzip.open(source, "rb") as unzipped:
        yield unzipped  # type: ignore[misc]
