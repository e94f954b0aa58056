"""The quotas of searches with a top-k: which alerts count on an event-time day."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from schemas.keys import quota_key
from storage.claims import Claim, ClaimVerdict
from storage.ledger_entry import NO_DAY, member, members, read_entry

#: Changes the values under keys, and returns the new ones; a missing one is empty to the function.
Merge = Callable[[Iterable[bytes], Callable[[bytes, bytes], bytes]], dict[bytes, bytes]]


def give_back(merge: Merge, changes: Mapping[Claim, tuple[bytes, bytes]]) -> None:
    """Take alerts out of their quotas whose entries are released or pass to another request (entry before, after)."""
    leaving: dict[bytes, set[bytes]] = {}
    for claim, (before, after) in changes.items():
        old, quota = member(claim.alert_id, read_entry(before)), _quota(claim, before)
        if quota is not None and (not after or member(claim.alert_id, read_entry(after)) != old):
            leaving.setdefault(quota, set()).add(old)
    merge(leaving, lambda key, data: b"".join(m for m in members(data) if m not in leaving[key]))


def take(
    merge: Merge, claims: Sequence[Claim], verdicts: Sequence[ClaimVerdict], entries: Mapping[str, bytes]
) -> set[int]:
    """Count the alerts to be sent in their quotas; returns the places of those claims for which none is left.

    `entries`: the entry of each alert id, as it is stored.
    """
    wanted: dict[bytes, list[tuple[Claim, bytes]]] = {}
    taking: dict[int, tuple[bytes, bytes]] = {}
    for i, claim in enumerate(claims):
        data = entries[claim.alert_id]
        quota = _quota(claim, data)
        if verdicts[i] is ClaimVerdict.SEND and claim.top_k > 0 and quota is not None:
            taking[i] = quota, member(claim.alert_id, read_entry(data))
            wanted.setdefault(quota, []).append((claim, taking[i][1]))
    filled = merge(wanted, lambda key, data: _filled(data, wanted[key]))
    return {i for i, (quota, own) in taking.items() if own not in members(filled[quota])}


def merge_quotas(data: bytes, stored: bytes | None) -> bytes | None:
    """Merge another store's quota into `stored`: it holds the alerts of both. None leaves it."""
    held = members(stored or b"")
    added = [one for one in members(data) if one not in held]
    return b"".join([*held, *added]) if added or stored is None else None


def _filled(data: bytes, claims: Iterable[tuple[Claim, bytes]]) -> bytes:
    """The quota with as many of the claims as it has room for, those of earlier requests first."""
    held = members(data)
    for claim, own in claims:
        if len(held) < claim.top_k and own not in held:
            held.append(own)
    return b"".join(held)


def _quota(claim: Claim, data: bytes) -> bytes | None:
    """Key of the quota that counted the entry. The day is the entry's own: the posting may have a later one by now."""
    day = read_entry(data).day if data else NO_DAY
    return None if day == NO_DAY else quota_key(claim.search_id, day)
