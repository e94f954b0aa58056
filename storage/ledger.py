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
"""400 days. An entry is needed while its request may be read again (30 days, the topics' longest retention, which
covers replayed dead letters) and while its opening lasts: topic postings.features keeps open postings for ever, so a
matcher that reads it from the beginning requests them all again. An opening that lasts longer than 400 days may alert
twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One candidate pair of one score request (`partition`, `offset`), and whether it passes now.

    `day`: the event-time day (`schemas.keys.day_of`) on which the alert would count; `top_k`: the search's alerts a
    day, 0 for no limit.
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


class ClaimVerdict(StrEnum):
    """The ledger's decision about a claim."""

    SEND = "send"
    SUPPRESSED = "suppressed"  # another request has sent this alert
    OVER_QUOTA = "over_quota"
    NOT_PASSING = "not_passing"


class AlertLedger:
    """The ledger over any `KeyValue`. A call that was interrupted anywhere may be repeated with the same claims."""

    def __init__(self, kv: KeyValue, *, ttl_s: float = TTL_S) -> None:
        self._kv = kv
        self._ttl_s = ttl_s

    def entries(self, alert_ids: Sequence[str]) -> list[LedgerEntry | None]:
        """The request that each alert id belongs to, for `nearline explain`. Raises StoreUnavailable."""
        stored = self._kv.get_many([ledger_key(alert_id) for alert_id in alert_ids])
        return [_entry(data) if data else None for data in stored]

    def quota_used(self, search_id: str, day: int) -> int:
        """How many alerts of a search count in the quota of one event-time day, for `nearline explain`."""
        (data,) = self._kv.get_many([quota_key(search_id, day)])
        return len(_members(data or _FREE))

    def settle_many(self, claims: Sequence[Claim]) -> list[ClaimVerdict]:
        """Decide every claim and record the decisions. Claims of one request come best first: quotas go in that order.

        Call it once a poll with all its requests. Raises StoreError; then call it again.
        """
        # 1. Read first: most claims do not pass, and change nothing.
        by_key: dict[bytes, list[Claim]] = {}
        for claim in claims:
            by_key.setdefault(ledger_key(claim.alert_id), []).append(claim)
        stored = zip(by_key, self._kv.get_many(list(by_key)), strict=True)
        held = {key: data or _FREE for key, data in stored}
        changing = [key for key, entry in held.items() if _settled(by_key[key], entry) != entry]
        # 2. Give quota back for claims that no longer pass, before the entry that holds the quota's day is released.
        self._give_back([claim for key in changing for claim in by_key[key] if not claim.passes], held)
        # 3. Write entries for claims that pass and are free, release those that no longer pass.
        held.update(self._merge(changing, lambda key, entry: _settled(by_key[key], entry)))
        verdicts = _verdicts(claims, held)
        # 4. Take quota for the new entries, and release those for which none is left.
        return self._within_quota(claims, verdicts, held)

    def _give_back(self, claims: Sequence[Claim], held: dict[bytes, bytes]) -> None:
        leaving: dict[bytes, set[bytes]] = {}
        for claim in claims:
            entry = held[ledger_key(claim.alert_id)]
            if _is_ours(claim, entry) and (quota := _quota(claim, entry)) is not None:
                leaving.setdefault(quota, set()).add(_member(claim))
        self._merge(leaving, lambda key, data: b"".join(m for m in _members(data) if m not in leaving[key]))

    def _within_quota(
        self, claims: Sequence[Claim], verdicts: list[ClaimVerdict], held: dict[bytes, bytes]
    ) -> list[ClaimVerdict]:
        wanted: dict[bytes, list[Claim]] = {}
        quotas: dict[int, bytes] = {}
        for i, claim in enumerate(claims):
            quota = _quota(claim, held[ledger_key(claim.alert_id)])
            if verdicts[i] is ClaimVerdict.SEND and claim.top_k > 0 and quota is not None:
                quotas[i] = quota
                wanted.setdefault(quota, []).append(claim)
        filled = self._merge(wanted, lambda key, data: _filled(data, wanted[key]))
        refused = {i for i, quota in quotas.items() if _member(claims[i]) not in _members(filled[quota])}
        releases = {ledger_key(claims[i].alert_id): claims[i] for i in refused}
        self._merge(releases, lambda key, data: _FREE if _is_ours(releases[key], data) else data)
        return [ClaimVerdict.OVER_QUOTA if i in refused else verdict for i, verdict in enumerate(verdicts)]

    def _merge(self, keys: Iterable[bytes], change: Callable[[bytes, bytes], bytes]) -> dict[bytes, bytes]:
        """Change the value under each key, and return the new values. A missing one is empty to `change`."""
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
    """Merge another store's entry into `stored`: an alert recorded in either store stays recorded. None leaves it."""
    return data if stored is None or (data and not stored) else None


def merge_quotas(data: bytes, stored: bytes | None) -> bytes | None:
    """Merge another store's quota into `stored`: it holds the alerts of both. None leaves it."""
    held = _members(stored or _FREE)
    added = [member for member in _members(data) if member not in held]
    return b"".join([*held, *added]) if added or stored is None else None


def _verdicts(claims: Sequence[Claim], held: dict[bytes, bytes]) -> list[ClaimVerdict]:
    sent: set[str] = set()
    verdicts = []
    for claim in claims:
        if not claim.passes:
            verdicts.append(ClaimVerdict.NOT_PASSING)
        elif claim.alert_id in sent or not _is_ours(claim, held[ledger_key(claim.alert_id)]):
            verdicts.append(ClaimVerdict.SUPPRESSED)
        else:
            sent.add(claim.alert_id)
            verdicts.append(ClaimVerdict.SEND)
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
    """The quota with as many of the claims as it has room for, those of earlier requests first."""
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
    """Key of the quota that counted the entry. The day is the entry's own: the posting may have a later one by now."""
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
