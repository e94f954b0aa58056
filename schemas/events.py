"""The documented event and posting formats (`schemas/README.md`): JSON Lines in, updates and saved searches out.

An event is `{ts, op, id, posting}`; a line without `op` is a whole posting of a plain list, which says that the posting
is open at the line's time. Stream, batch and tests all read through this module, so that one line means one thing
everywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from schemas import fields
from schemas.errors import EventError
from schemas.fields import short
from schemas.ids import from_source, identifier
from schemas.lines import numbered_lines
from schemas.pay import read_pay
from schemas.records import NEVER, THRESHOLD, Op, Posting, PostingUpdate, SavedSearch
from schemas.settings import Option
from schemas.times import DateOrder, instant_us
from schemas.versions import Versioner

_OPS = {op.value: op for op in Op}
_NEED_POSTING = (Op.ADD, Op.UPDATE, Op.REPOST)
_DROP_POSTING = (Op.CLOSE, Op.REMOVE)
_DEFAULTS = SavedSearch(search_id="", query="")
#: Half of the way around the Earth, which no two places are farther apart than.
_FARTHEST_KM = 20_040
#: Every field of a line that the documented formats read.
FIELDS = frozenset(
    (
        "ts", "op", "id", "posting", "updated_at", "posted_at", "title", "description", "company", "location",
        "employment_type", "remote", "salary",
    )
)  # fmt: skip


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFormat:
    """What the files of a source mean where the documented format leaves a choice."""

    date_order: Annotated[
        DateOrder | None,
        Option(
            "Order of day, month and year in dates that are not ISO 8601; without it they are dead letters."
        ),
    ] = None
    id_prefix: Annotated[
        str, Option("Put before each posting's id, to tell the ids of this file from others.")
    ] = ""
    source_field: Annotated[
        str,
        Option(
            "Field of a line that names its source: the posting's id becomes `source:id`.", metavar="FIELD"
        ),
    ] = ""

    def posting_id(self, row: dict[str, Any]) -> str:
        """The posting's id in a row; raises EventError."""
        found = self.id_prefix + identifier(row.get("id"), "id")
        if not self.source_field:
            return found
        return from_source(row.get(self.source_field), self.source_field, found)


DOCUMENTED = EventFormat()


#: What a file says, each with the number of its line (from 1).
NumberedEvents = Iterator[tuple[int, PostingUpdate | BrokenLine]]


def parse_line(line: bytes | str, how: EventFormat = DOCUMENTED) -> ParsedEvent:
    """One event or posting; raises EventError, whose message names the field."""
    return parse_row(parse_object(line), how)


def parse_row(row: dict[str, Any], how: EventFormat = DOCUMENTED) -> ParsedEvent:
    """One event or posting from its JSON object; raises EventError, whose message names the field."""
    if "op" not in row:
        return ParsedEvent(
            posting_id=how.posting_id(row),
            op=Op.ADD,
            instant_us=_catalog_instant(row, how.date_order),
            posting=_posting(row, ""),
            listed=True,
        )
    name = row["op"]
    op = _OPS.get(name) if isinstance(name, str) else None
    if op is None:
        raise EventError(f"op must be one of {', '.join(_OPS)}, not {short(name)}")
    return ParsedEvent(
        posting_id=how.posting_id(row),
        op=op,
        instant_us=instant_us(row.get("ts"), "ts", how.date_order),
        posting=_event_posting(op, row.get("posting")),
    )


def read_events(
    source: Path | str | BinaryIO, how: EventFormat = DOCUMENTED
) -> Iterator[PostingUpdate | BrokenLine]:
    """The updates of a file (plain or gzip) in its order, versions given; blank lines are skipped.

    Raises EventError for a gzip file that breaks off, after all lines before the break.
    """
    return (event for _, event in numbered_events(source, how))


def numbered_events(source: Path | str | BinaryIO, how: EventFormat = DOCUMENTED) -> NumberedEvents:
    """What `read_events` reads, each with the number of its line (from 1)."""
    versioner = Versioner()
    for number, line in numbered_lines(source):
        try:
            event = parse_line(line, how)
        except EventError as error:
            yield number, BrokenLine(number=number, data=line, reason=str(error))
            continue
        yield number, event.update(versioner.version(event.posting_id, event.instant_us, line))


def broken_id(line: BrokenLine, how: EventFormat = DOCUMENTED) -> str | None:
    """The id of the posting that a broken line is about, if at least that can be read."""
    try:
        return how.posting_id(parse_object(line.data))
    except EventError:
        return None


def parse_search(row: dict[str, Any], threshold: float = THRESHOLD) -> SavedSearch:
    """A saved search from its JSON object, with `threshold` if it names none; EventError names a wrong field."""
    types = fields.wanted(row.get("employment_type"))
    return SavedSearch(
        search_id=identifier(row.get("search_id", row.get("id")), "search_id"),
        query=fields.label(row.get("query"), "query") or "",
        location=fields.places(fields.wanted(row.get("location")), "location"),
        remote=fields.remote_wanted(row.get("remote"), "remote"),
        employment_type=fields.employment_type(types, "employment_type"),
        threshold=float(_number(row, "threshold", threshold, 1, whole=False)),
        top_k=int(_number(row, "top_k", _DEFAULTS.top_k, 2**31 - 1, whole=True)),
        must_not=fields.phrases(row.get("must_not"), "must_not"),
        radius_km=float(_number(row, "radius_km", _DEFAULTS.radius_km, _FARTHEST_KM, whole=False)),
        pay_from=_pay_from(row),
        semantic_threshold=_similarity(row),
    )


def read_searches(source: Path | str | BinaryIO, threshold: float = THRESHOLD) -> list[SavedSearch]:
    """All saved searches of a file; raises EventError with the number of the first broken line.

    `threshold`: that of searches that name none, such as the one that the ranker's calibration gives.
    """
    searches = []
    for number, line in numbered_lines(source):
        try:
            searches.append(parse_search(parse_object(line), threshold))
        except EventError as error:
            raise EventError(f"line {number}: {error}") from error
    return searches


def parse_object(line: bytes | str) -> dict[str, Any]:
    """The JSON object on one line; raises EventError."""
    try:
        row = json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line)
    except (ValueError, RecursionError) as error:
        raise EventError(f"not a line of JSON: {error}") from error
    if not isinstance(row, dict):
        raise EventError(f"a line must be a JSON object, not {short(row)}")
    return row


def _catalog_instant(row: dict[str, Any], order: DateOrder | None) -> int:
    for name in ("updated_at", "posted_at"):
        value = row.get(name)
        if value and not fields.is_absent(value):
            return instant_us(value, name, order)
    return 0


def _event_posting(op: Op, posting: Any) -> Posting | None:
    if posting is None and op in _NEED_POSTING:
        raise EventError(f"posting is missing, and op {op} needs it")
    if posting is None or op in _DROP_POSTING:
        return None
    if not isinstance(posting, dict):
        raise EventError(f"posting must be an object, not {short(posting)}")
    return _posting(posting, "posting.")


def _posting(row: dict[str, Any], path: str) -> Posting:
    title = fields.label(row.get("title"), f"{path}title") or ""
    description = fields.text(row.get("description"), f"{path}description") or ""
    if not title and not description.strip():
        raise EventError(f"{path}title and {path}description are both missing or blank")
    return Posting(
        title=title,
        company=fields.label(row.get("company"), f"{path}company"),
        location=fields.places(row.get("location"), f"{path}location"),
        employment_type=fields.employment_type(row.get("employment_type"), f"{path}employment_type"),
        remote=fields.remote(row.get("remote"), f"{path}remote"),
        salary=fields.salary(row.get("salary"), f"{path}salary"),
        description=description,
    )


def _pay_from(row: dict[str, Any]) -> str | None:
    text = fields.salary(fields.wanted(row.get("pay_from")), "pay_from")
    if text and read_pay(text) is None:
        raise EventError(f'pay_from names no amount: give one like "30000 GBP per year", not {short(text)}')
    return text


def _similarity(row: dict[str, Any]) -> float | None:
    given = row.get("semantic_threshold") is not None
    return float(_number(row, "semantic_threshold", 0.0, 1, whole=False)) if given else None


def _number(row: dict[str, Any], name: str, default: float, most: int, *, whole: bool) -> float:
    value = row.get(name)
    if value is None:
        return default
    allowed = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value <= most:
        raise EventError(f"{name} must be a {'whole ' * whole}number from 0 to {most}, not {short(value)}")
    return value
