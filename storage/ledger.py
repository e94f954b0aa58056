"""`AlertLedger`: which alerts were sent, so that each pair of search and posting alerts once an opening.

An entry is written before the transaction that sends the alert, and marked as sent after that transaction has
committed. A marked entry suppresses every later request for its pair, from whatever topic, partition and offset. An
entry without the mark was left by a transaction whose end was not noted: `SentAlerts` then says whether the alert is
out (docs/adr/0015-sent-alerts-are-marked.md). A released entry stays as an empty value, because a merge cannot delete.

Entries and quotas expire `ttl_s` after they were last written: see `TTL_S`.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from schemas.errors import StoreError, StoreUnavailable
from schemas.keys import ledger_key, quota_key
from storage.base import KeyValue
from storage.claims import Claim, ClaimVerdict, NoneSent, SentAlerts
from storage.ledger_entry import NO_DAY, LedgerEntry, Sent, members, read_entry, write_entry
from storage.quotas import give_back, take

_FREE = b""
CLAIMANT_BYTES = 8
MOST_ROUNDS = 5
ENTRIES, QUOTAS = ledger_key(""), b"q/1/"
TTL_S = 400 * 86_400.0
"""400 days. An entry is needed while its request may be read again (30 days, the topics' longest retention, which
covers replayed dead letters) and while its opening lasts: topic postings.features keeps open postings for ever, so a
matcher that reads it from the beginning requests them all again. An opening that lasts longer than 400 days may alert
twice."""

log = logging.getLogger(__name__)


class AlertLedger:
    """The ledger over any `KeyValue`. A call that was interrupted anywhere may be repeated with the same claims.

    `claimant`: 8 bytes that no other consumer process has. An entry that holds them and is not in doubt was written by
    this process, which has not tried to send its alert yet.
    """

    def __init__(
        self,
        kv: KeyValue,
        *,
        ttl_s: float = TTL_S,
        sent: SentAlerts | None = None,
        claimant: bytes = b"",
    ) -> None:
        self._kv = kv
        self._ttl_s = ttl_s
        self._sent = sent or NoneSent()
        self._me = claimant or os.urandom(CLAIMANT_BYTES)
        #: Alerts of transactions that this process did not see the end of, or whose end it could not note.
        self._in_doubt: set[str] = set()
        #: Alerts that a request of this turn sends, so that no other one does.
        self._granted: set[str] = set()
        self._to_mark: set[str] = set()

    def entries(self, alert_ids: Sequence[str]) -> list[LedgerEntry | None]:
        """The request that each alert id belongs to, for `nearline explain`. Raises StoreUnavailable."""
        stored = self._kv.get_many([ledger_key(alert_id) for alert_id in alert_ids])
        return [read_entry(data) if data else None for data in stored]

    def was_sent(self, alert_id: str, entry: LedgerEntry) -> bool:
        """Whether the alert of an entry was sent, for `nearline explain`. Raises BrokersUnavailable."""
        if entry.sent is not Sent.CLAIMED:
            return True
        return alert_id in self._sent.sent({alert_id: entry.request_ms})

    def quota_used(self, search_id: str, day: int) -> int:
        """How many alerts of a search count in the quota of one event-time day, for `nearline explain`."""
        (data,) = self._kv.get_many([quota_key(search_id, day)])
        return len(members(data or _FREE))

    def settle_many(self, claims: Sequence[Claim]) -> list[ClaimVerdict]:
        """Decide every claim and record the decisions. Claims of one request come best first: quotas go in that order.

        Call it once a poll with all its requests. Raises StoreError and BrokersUnavailable; then call it again.
        """
        # 1. Read first: most claims do not pass, and change nothing.
        by_key: dict[bytes, list[Claim]] = {}
        for claim in claims:
            by_key.setdefault(ledger_key(claim.alert_id), []).append(claim)
        stored = zip(by_key, self._kv.get_many(list(by_key)), strict=True)
        held = {key: data or _FREE for key, data in stored}
        # 2. Decide each entry; once more where another process has claimed an alert meanwhile.
        rounds = 0
        while self._decide(by_key, held):
            rounds += 1
            if rounds == MOST_ROUNDS:
                raise StoreUnavailable("another process goes on claiming the same alerts")
        verdicts = self._verdicts(claims, held)
        # 3. Take quota for the new entries, and release those for which none is left.
        verdicts = self._within_quota(claims, verdicts, held)
        granted = zip(claims, verdicts, strict=True)
        self._granted.update(claim.alert_id for claim, verdict in granted if verdict is ClaimVerdict.SEND)
        return verdicts

    def _decide(self, by_key: Mapping[bytes, Sequence[Claim]], held: dict[bytes, bytes]) -> bool:
        """Write what becomes of each entry, here and in `held`; true while some are in doubt.

        A consumer that stood still and was replaced may go on and claim what this one is about to claim. Its
        transaction cannot commit, so that its claim decides nothing: the topic is asked about it like about any other.
        """
        # entries that do not say whether their alert was sent: ask, and mark those that were
        unsent = self._resolve(by_key, held)

        def settled(key: bytes, entry: bytes) -> bytes:
            return self._settled(by_key[key], entry, unsent)

        after = {key: settled(key, entry) for key, entry in held.items()}
        changing = [key for key, entry in held.items() if after[key] != entry]
        # give quota back for entries that are released or pass to another request, before they are written
        give_back(self._merge, {by_key[key][0]: (held[key], after[key]) for key in changing if held[key]})
        held.update(self._merge(changing, settled))
        return bool(self._doubted(by_key, held))

    def transacted(self, alert_ids: Collection[str], *, committed: bool) -> None:
        """Note the end of a turn, whose transaction held these alerts; without a commit their entries are in doubt.

        A store that is away leaves the alerts to the next call, and after a crash to `SentAlerts`: nothing is raised.
        """
        self._granted.clear()
        self._in_doubt.update(alert_ids)
        if not committed:
            return
        self._to_mark.update(alert_ids)
        if not self._to_mark:
            return
        try:
            self._mark([ledger_key(alert_id) for alert_id in self._to_mark])
        except StoreError as error:
            log.warning("%d sent alerts are not marked yet: %s", len(self._to_mark), error)
            return
        self._in_doubt -= self._to_mark
        self._to_mark.clear()

    def _resolve(
        self, by_key: Mapping[bytes, Sequence[Claim]], held: dict[bytes, bytes]
    ) -> Mapping[bytes, bytes]:
        """Ask about the entries in doubt, mark those that were sent; returns the others, as they are stored."""
        doubted = self._doubted(by_key, held)
        if not doubted:
            return {}
        ids = {key: by_key[key][0].alert_id for key in doubted}
        found = set(self._sent.sent({ids[key]: entry.request_ms for key, entry in doubted.items()}))
        log.info("%d of %d alerts whose transactions were cut off are sent", len(found), len(doubted))
        held.update(self._mark([key for key in doubted if ids[key] in found]))
        self._in_doubt.difference_update(ids.values())
        return {key: held[key] for key in doubted if ids[key] not in found}

    def _doubted(
        self, by_key: Mapping[bytes, Sequence[Claim]], held: Mapping[bytes, bytes]
    ) -> dict[bytes, LedgerEntry]:
        """The entries in doubt."""
        entries = {key: read_entry(data) for key, data in held.items() if data}
        return {
            key: entry
            for key, entry in entries.items()
            if any(self._doubts(claim, entry) for claim in by_key[key])
        }

    def _doubts(self, claim: Claim, entry: LedgerEntry) -> bool:
        """Whether the claim's decision needs an answer that the entry does not give."""
        ours = self._entry_of(claim).same_request(entry)
        if entry.sent is Sent.UNMARKED:
            # A request with an id is not the one that a version without ids has claimed, wherever it stands.
            return ours
        if entry.sent is Sent.SENT or not (claim.passes or ours):
            return False
        return entry.claimant != self._me or claim.alert_id in self._in_doubt

    def _settled(self, claims: Iterable[Claim], data: bytes, unsent: Mapping[bytes, bytes]) -> bytes:
        """The entry after the claims on one alert id, in their order: the first one that passes has it."""
        for claim in claims:
            entry, wanted = (read_entry(data) if data else None), self._entry_of(claim)
            ours = entry is not None and entry.same_request(wanted)
            if entry is not None and unsent.get(ledger_key(claim.alert_id)) != data:
                # a claim of this process that it has not tried to send yet: it may go on, or pass to a later turn's
                free = ours or claim.alert_id not in self._granted
                if not (free and self._is_mine(claim, entry)):
                    continue
            if claim.passes:
                # the day stays: the quota holds the alert on the day of the first claim
                return write_entry(replace(wanted, day=entry.day) if entry and ours else wanted)
            if ours:
                data = _FREE
        return data

    def _is_mine(self, claim: Claim, entry: LedgerEntry) -> bool:
        """Whether this process wrote the entry and knows that it has not sent the alert."""
        mine = entry.sent is Sent.CLAIMED and entry.claimant == self._me
        return mine and claim.alert_id not in self._in_doubt

    def _verdicts(self, claims: Sequence[Claim], held: Mapping[bytes, bytes]) -> list[ClaimVerdict]:
        sent: set[str] = set()
        verdicts = []
        for claim in claims:
            data = held[ledger_key(claim.alert_id)]
            if not claim.passes:
                verdicts.append(ClaimVerdict.NOT_PASSING)
            elif claim.alert_id in sent or not self._holds(claim, data):
                verdicts.append(ClaimVerdict.SUPPRESSED)
            else:
                sent.add(claim.alert_id)
                verdicts.append(ClaimVerdict.SEND)
        return verdicts

    def _holds(self, claim: Claim, data: bytes) -> bool:
        """Whether the entry is this request's, and its alert is still to be sent."""
        if not data:
            return False
        entry = read_entry(data)
        return self._is_mine(claim, entry) and entry.same_request(self._entry_of(claim))

    def _within_quota(
        self, claims: Sequence[Claim], verdicts: list[ClaimVerdict], held: Mapping[bytes, bytes]
    ) -> list[ClaimVerdict]:
        entries = {claim.alert_id: held[ledger_key(claim.alert_id)] for claim in claims}
        refused = take(self._merge, claims, verdicts, entries)
        releases = {ledger_key(claims[i].alert_id): claims[i] for i in refused}
        self._merge(releases, lambda key, data: _FREE if self._holds(releases[key], data) else data)
        return [ClaimVerdict.OVER_QUOTA if i in refused else verdict for i, verdict in enumerate(verdicts)]

    def _mark(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Mark entries as sent. One that has expired or was released meanwhile stays so."""
        return self._merge(keys, lambda _, data: write_entry(read_entry(data).marked()) if data else data)

    def _entry_of(self, claim: Claim) -> LedgerEntry:
        return LedgerEntry(
            partition=claim.partition,
            offset=claim.offset,
            day=claim.day if claim.top_k > 0 else NO_DAY,
            request_ms=claim.request_ms,
            request_id=claim.request_id,
            claimant=self._me,
        )

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
    """Merge another store's entry into `stored`: an alert sent in either store stays sent. None leaves it."""
    if stored is None or (data and not stored):
        return data
    if not data or read_entry(data).sent <= read_entry(stored).sent:
        return None
    return data
