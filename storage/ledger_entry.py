"""The bytes of a ledger entry: the request that claimed an alert, and whether the alert was sent."""

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

#: The entry before entries had marks: partition, offset, event-time day of the quota.
_UNMARKED = struct.Struct(">iqi")
#: Then whether it was sent, the request's broker timestamp in ms, who claimed it, and the request's id.
_ENTRY = struct.Struct(">iqiBq8s16s")
_MEMBER = struct.Struct(">iq16s")  # partition, offset, alert id
NO_DAY = -1
NO_ID = b""


class Sent(IntEnum):
    """Whether the alert of an entry was sent, by what the entry itself says; the larger one wins in a merge."""

    CLAIMED = 0  # the claim was written, the end of its transaction was not noted
    UNMARKED = 1  # written by a version of this project that noted no ends
    SENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """The score request that an alert belongs to.

    `day`: the event-time day on which the alert counts, NO_DAY without a quota. `request_ms`: the request's broker
    timestamp. `request_id`: 16 bytes, or NO_ID. `claimant`: 8 bytes that name the consumer process which wrote it.
    """

    partition: int
    offset: int
    day: int = NO_DAY
    sent: Sent = Sent.CLAIMED
    request_ms: int = 0
    request_id: bytes = NO_ID
    claimant: bytes = b""

    def marked(self) -> "LedgerEntry":
        """The entry of an alert that was sent."""
        return replace(self, sent=Sent.SENT)

    def same_request(self, other: "LedgerEntry") -> bool:
        """Whether both were claimed by one request: by its id, else by its place.

        A place alone names no request for good: a topic that is created anew has the same ones again.
        """
        if self.request_id or other.request_id:
            return self.request_id == other.request_id
        return (self.partition, self.offset) == (other.partition, other.offset)


def read_entry(data: bytes) -> LedgerEntry:
    """The entry in these bytes, of either format."""
    if len(data) == _UNMARKED.size:
        partition, offset, day = _UNMARKED.unpack(data)
        return LedgerEntry(partition=partition, offset=offset, day=day, sent=Sent.UNMARKED)
    partition, offset, day, sent, request_ms, claimant, request_id = _ENTRY.unpack(data)
    return LedgerEntry(
        partition=partition,
        offset=offset,
        day=day,
        sent=Sent(sent),
        request_ms=request_ms,
        request_id=request_id if any(request_id) else NO_ID,
        claimant=claimant,
    )


def write_entry(entry: LedgerEntry) -> bytes:
    """The bytes of an entry, in the format that has marks."""
    return _ENTRY.pack(
        entry.partition,
        entry.offset,
        entry.day,
        entry.sent,
        entry.request_ms,
        entry.claimant,
        entry.request_id,
    )


def member(alert_id: str, entry: LedgerEntry) -> bytes:
    """What a quota holds of an alert."""
    return _MEMBER.pack(entry.partition, entry.offset, bytes.fromhex(alert_id))


def members(data: bytes) -> list[bytes]:
    """The alerts that a quota holds."""
    size = _MEMBER.size
    return [data[i : i + size] for i in range(0, len(data), size)]
