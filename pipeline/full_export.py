"""A full export says of every posting whether it is open: what it lists is open, and what it lacks is closed.

The plan is made before anything is sent, because a file that was cut off would close what it lost
(docs/semantics.md#plain-lists).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from schemas.errors import ConfigError, EventError
from schemas.events import DOCUMENTED, BrokenLine, EventFormat, NumberedEvents, broken_id
from schemas.openings import is_listed
from schemas.records import FeatureRecord, Op, PostingUpdate, State

#: So many postings may be closed whatever their share is: of a handful of postings, one is a large part.
ALWAYS_CLOSED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FullExport:
    """`as_of`: when the export was made, UTC microseconds. `close_at_most`: share of the open postings it may close.

    `id_prefix`: only postings whose ids begin with it belong to the export. `of_sources`: ids are `source:id`, and only
    postings of sources that the export names belong to it.
    """

    as_of: int
    close_at_most: float = 0.2
    id_prefix: str = ""
    of_sources: bool = False

    def holds(self, posting_id: str, listed: set[str]) -> bool:
        """Whether a posting is one that the export would list if it were open; `listed`: the sources it names."""
        if self.of_sources:
            source, _, posting_id = posting_id.partition(":")
            if source not in listed:
                return False
        return posting_id.startswith(self.id_prefix)


@dataclass(slots=True, kw_only=True)
class ExportPlan:
    """What a full export lists and closes; `newer` postings are missing, but were opened after the export was made."""

    as_of: int
    ids: set[str] = field(default_factory=set)
    open_before: int = 0
    missing: list[str] = field(default_factory=list)
    newer: int = 0

    def updates(self, events: NumberedEvents) -> NumberedEvents:
        """The rows as they go out, and then the closings (line 0); the plan was made from the same `events`."""
        for line, event in events:
            yield line, event if isinstance(event, BrokenLine) else _listed(event, self.as_of)
        for posting_id in self.missing:
            yield 0, PostingUpdate(posting_id=posting_id, version=self.as_of, op=Op.CLOSE)


def plan(
    events: NumberedEvents,
    records: Callable[[], Iterable[FeatureRecord]],
    of: FullExport,
    how: EventFormat = DOCUMENTED,
) -> ExportPlan:
    """Read the whole export, then the store's records, and decide what is missing.

    Raises EventError for a file that is no list or breaks off, or a line whose posting cannot be told; ConfigError if
    more would be closed than `close_at_most` allows.
    """
    made = ExportPlan(as_of=of.as_of, ids=_ids(events, how))
    sources = {posting_id.partition(":")[0] for posting_id in made.ids}
    for record in records():
        if record.state is not State.OPEN or not of.holds(record.posting_id, sources):
            continue
        made.open_before += 1
        if record.posting_id in made.ids:
            continue
        if record.lifecycle_version > of.as_of:
            made.newer += 1
        else:
            made.missing.append(record.posting_id)
    _check(made, of)
    return made


def _ids(events: NumberedEvents, how: EventFormat) -> set[str]:
    found = set[str]()
    for number, event in events:
        if isinstance(event, BrokenLine):
            found.add(_broken(event, how))
        elif is_listed(event):
            found.add(event.posting_id)
        else:
            raise EventError(
                f"line {number} is an event ({event.op} of {event.posting_id!r}): a full export is a list of postings"
            )
    return found


def _broken(line: BrokenLine, how: EventFormat) -> str:
    posting_id = broken_id(line, how)
    if posting_id is None:
        raise EventError(
            f"line {line.number} cannot be read, and so not which posting it lists ({line.reason}): nothing was sent; "
            "correct the line, or send the file without --full-export"
        )
    return posting_id


def _check(made: ExportPlan, of: FullExport) -> None:
    closing = len(made.missing)
    allowed = max(of.close_at_most * made.open_before, ALWAYS_CLOSED if made.ids else 0)
    if closing > allowed:
        raise ConfigError(
            f"the export lists {len(made.ids)} postings and would close {closing} of {made.open_before} open ones, more "
            f"than --close-at-most {of.close_at_most:g} allows: nothing was sent. Is the file complete? If it is, give "
            "a larger --close-at-most (1: all)"
        )


def _listed(update: PostingUpdate, as_of: int) -> PostingUpdate:
    return replace(update, as_of=max(as_of, update.version))
