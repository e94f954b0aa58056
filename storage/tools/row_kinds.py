"""The kinds of rows that outlive their writer, in key order: what moves to another store, and how two of one key merge.

Scores and leases stay behind: they are computed again.
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import Codec
from storage.features import FEATURES, TEXTS, merge_records, merge_texts
from storage.ledger import ENTRIES, QUOTAS, TTL_S, merge_entries, merge_quotas


class Kind(NamedTuple):
    """`merge(key, data, stored)`: what to store where another store's `data` meets `stored`; None leaves it.

    `ttl_s`: how long a moved row lives, since no store tells what was left of it; None is for ever.
    """

    name: str
    prefix: bytes
    ttl_s: float | None
    merge: Callable[[bytes, bytes, bytes | None], bytes | None]


def kinds(codec: Codec) -> tuple[Kind, ...]:
    """The kinds by their prefixes' order."""
    made = (
        Kind("features", FEATURES, None, lambda key, data, stored: merge_records(codec, key, data, stored)),
        Kind("texts", TEXTS, None, merge_texts),
        Kind("ledger entries", ENTRIES, TTL_S, lambda _, data, stored: merge_entries(data, stored)),
        Kind("quotas", QUOTAS, TTL_S, lambda _, data, stored: merge_quotas(data, stored)),
    )
    return tuple(sorted(made, key=lambda kind: kind.prefix))
