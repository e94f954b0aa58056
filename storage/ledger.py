"""`AlertLedger`: which score request a pair's alert belongs to, so that each pair alerts once an opening.

An entry is written before the transaction that sends the alert commits. The same id from the same request is sent again
(that transaction never committed), from any other request it is suppressed. A released entry stays as an empty value,
because a merge cannot delete.

Entries and quotas expire `ttl_s` after they were last written: see `TTL_S`.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import StoreError
from schemas.keys import ledger_key, quota_key
from storage.base import KeyValue

_ENTRY = struct.Struct(">iqi")  # partition, offset, event-time day of the quota (NO_DAY: none)
_MEMBER = struct.Struct(">iq16s")  # partition, offset, alert id
_SOURCE_BYTES = 12  # partition and offset stand first in both
_FREE = b""
NO_DAY = -1
ENTRIES, QUOTAS = ledger_key(""), b"q/1/"
TTL_S = 400 * 86_400.0
"""400 days. An entry has work as long as its request may come again (the topics' longest retention, 30 days, a replayed
dead letter among it) and as long as its opening lasts: topic postings.features keeps open postings for ever, so a
matcher that reads it from the beginning asks about all of them. An opening of over a year is the exception that may
alert twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One candidate pair of one score request (`partition`, `offset`), and whether it passes now.

    `day` is the event-time day (`schemas.keys.day_of`) whose quota of `top_k` alerts it would use; 0 is no quota.
    """

    alert_id: str
    search_id: str
    partition: int
    offset: int
    passes: bool
    day: int = NO_DAY
    top_k: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """The score request that an alert belongs to."""

    partition: int
    offset: int


class Verdict(StrEnum):
    """What becomes of a claim."""

    SEND = "send"
    SUPPRESSED = "suppressed"  # another request has sent it
    OVER_QUOTA = "over_quota"
    NOT_PASSING = "not_passing"


class AlertLedger:
    """The ledger over any `KeyValue`. Every call may be cut off anywhere and repeated with the same claims."""

    def __init__(self, kv: KeyValue, *, ttl_s: float = TTL_S) -> None:
        self._kv = kv
        self._ttl_s = ttl_s

    def entries(self, alert_ids: Sequence[str]) -> list[LedgerEntry | None]:
        """Who holds each alert id, for `nearline explain`. Raises StoreUnavailable."""
        stored = self._kv.get_many([ledger_key(alert_id) for alert_id in alert_ids])
        return [_entry(data) if data else None for data in stored]

    def quota_used(self, search_id: str, day: int) -> int:
        """How many alerts of a search the quota of one event-time day holds, for `nearline explain`."""
        (data,) = self._kv.get_many([quota_key(search_id, day)])
        return len(_members(data or _FREE))

    def settle_many(self, claims: Sequence[Claim]) -> list[Verdict]:
        """What becomes of each claim; those of one request stand best first, because quotas are given in order.

        Call it once a poll with all its requests. Raises StoreError; then repeat it.
        """
        # 1. Look first: most claims do not pass, and change nothing.
        by_key: dict[bytes, list[Claim]] = {}
        for claim in claims:
            by_key.setdefault(ledger_key(claim.alert_id), []).append(claim)
        stored = zip(by_key, self._kv.get_many(list(by_key)), strict=True)
        held = {key: data or _FREE for key, data in stored}
        changing = [key for key, entry in held.items() if _settled(by_key[key], entry) != entry]
        # 2. Give quota back for what no longer passes, before the entry that remembers its day goes.
        self._give_back([claim for key in changing for claim in by_key[key] if not claim.passes], held)
        # 3. Claim what is free, release what no longer passes.
        held.update(self._merge(changing, lambda key, entry: _settled(by_key[key], entry)))
        verdicts = _verdicts(claims, held)
        # 4. Take quota for what was claimed, and release what found none.
        return self._within_quota(claims, verdicts, held)

    def _give_back(self, claims: Sequence[Claim], held: dict[bytes, bytes]) -> None:
        leaving: dict[bytes, set[bytes]] = {}
        for claim in claims:
            entry = held[ledger_key(claim.alert_id)]
            if _is_ours(claim, entry) and (quota := _quota(claim, entry)) is not None:
                leaving.setdefault(quota, set()).add(_member(claim))
        self._merge(leaving, lambda key, data: b"".join(m for m in _members(data) if m not in leaving[key]))

    def _within_quota(
        self, claims: Sequence[Claim], verdicts: list[Verdict], held: dict[bytes, bytes]
    ) -> list[Verdict]:
        wanted: dict[bytes, list[Claim]] = {}
        quotas: dict[int, bytes] = {}
        for i, claim in enumerate(claims):
            quota = _quota(claim, held[ledger_key(claim.alert_id)])
            if verdicts[i] is Verdict.SEND and claim.top_k > 0 and quota is not None:
                quotas[i] = quota
                wanted.setdefault(quota, []).append(claim)
        filled = self._merge(wanted, lambda key, data: _filled(data, wanted[key]))
        refused = {i for i, quota in quotas.items() if _member(claims[i]) not in _members(filled[quota])}
        releases = {ledger_key(claims[i].alert_id): claims[i] for i in refused}
        self._merge(releases, lambda key, data: _FREE if _is_ours(releases[key], data) else data)
        return [Verdict.OVER_QUOTA if i in refused else verdict for i, verdict in enumerate(verdicts)]

    def _merge(self, keys: Iterable[bytes], change: Callable[[bytes, bytes], bytes]) -> dict[bytes, bytes]:
        """What is under each key afterwards; missing is the same as empty, and what does not change is not written."""
        wanted = list(keys)

        def merge(key: bytes, stored: bytes | None) -> bytes | None:
            changed = change(key, stored or _FREE)
            return None if changed == (stored or _FREE) else changed

        after: dict[bytes, bytes] = {}
        results = self._kv.merge_many(wanted, merge, ttl_s=self._ttl_s) if wanted else []
        for key, result in zip(wanted, results, strict=True):
            if isinstance(result, StoreError):
                raise result
            after[key] = result or _FREE
        return after


def merge_entries(data: bytes, stored: bytes | None) -> bytes | None:
    """What to store where another store's entry meets `stored`: an alert that one of them holds stays held."""
    return data if stored is None or (data and not stored) else None


def merge_quotas(data: bytes, stored: bytes | None) -> bytes | None:
    """The same for the alerts of a search and day: those of both."""
    held = _members(stored or _FREE)
    added = [member for member in _members(data) if member not in held]
    return b"".join([*held, *added]) if added or stored is None else None


def _verdicts(claims: Sequence[Claim], held: dict[bytes, bytes]) -> list[Verdict]:
    sent: set[str] = set()
    verdicts = []
    for claim in claims:
        if not claim.passes:
            verdicts.append(Verdict.NOT_PASSING)
        elif claim.alert_id in sent or not _is_ours(claim, held[ledger_key(claim.alert_id)]):
            verdicts.append(Verdict.SUPPRESSED)
        else:
            sent.add(claim.alert_id)
            verdicts.append(Verdict.SEND)
    return verdicts


def _settled(claims: Iterable[Claim], entry: bytes) -> bytes:
    """The entry after the claims on one alert id, in their order."""
    for claim in claims:
        if claim.passes and not entry:
            entry = _ENTRY.pack(claim.partition, claim.offset, claim.day if claim.top_k > 0 else NO_DAY)
        elif not claim.passes and _is_ours(claim, entry):
            entry = _FREE
    return entry


def _filled(data: bytes, claims: Iterable[Claim]) -> bytes:
    """The quota after the claims that found room in it, those of earlier requests first."""
    members = _members(data)
    for claim in claims:
        if len(members) < claim.top_k and _member(claim) not in members:
            members.append(_member(claim))
    return b"".join(members)


def _source(claim: Claim) -> bytes:
    return _ENTRY.pack(claim.partition, claim.offset, NO_DAY)[:_SOURCE_BYTES]


def _is_ours(claim: Claim, entry: bytes) -> bool:
    return entry[:_SOURCE_BYTES] == _source(claim)


def _quota(claim: Claim, entry: bytes) -> bytes | None:
    """Where the quota is that the entry was counted under: the day stands in it, the posting's may have moved on."""
    day = _ENTRY.unpack(entry)[2] if entry else NO_DAY
    return None if day == NO_DAY else quota_key(claim.search_id, day)


def _entry(data: bytes) -> LedgerEntry:
    partition, offset, _ = _ENTRY.unpack(data)
    return LedgerEntry(partition=partition, offset=offset)


def _member(claim: Claim) -> bytes:
    return _MEMBER.pack(claim.partition, claim.offset, bytes.fromhex(claim.alert_id))


def _members(data: bytes) -> list[bytes]:
    size = _MEMBER.size
    return [data[i : i + size] for i in range(0, len(data), size)]
