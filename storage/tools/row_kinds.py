"""The kinds of rows that are copied to another store and compared with it, and how two rows of one key merge.

Scores and leases are not among them: they are computed again.
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import Codec
from storage.features import FEATURES, TEXTS, merge_records, merge_texts
from storage.ledger import ENTRIES, QUOTAS, TTL_S, merge_entries
from storage.quotas import merge_quotas


class RowKind(NamedTuple):
    """A kind of rows, by the prefix of its keys.

    `merge(key, data, stored)`: the value to store when another store's `data` is merged into `stored`; None leaves it.
    `ttl_s`: how long a copied row lives, since a store does not tell how much of its time is left; None is for ever.
    """

    name: str
    prefix: bytes
    ttl_s: float | None
    merge: Callable[[bytes, bytes, bytes | None], bytes | None]


def kinds(codec: Codec) -> tuple[RowKind, ...]:
    """The kinds, in the order of their prefixes."""
    made = (
        RowKind(
            "features", FEATURES, None, lambda key, data, stored: merge_records(codec, key, data, stored)
        ),
        RowKind("texts", TEXTS, None, merge_texts),
        RowKind("ledger entries", ENTRIES, TTL_S, lambda _, data, stored: merge_entries(data, stored)),
        RowKind("quotas", QUOTAS, TTL_S, lambda _, data, stored: merge_quotas(data, stored)),
    )
    return tuple(sorted(made, key=lambda kind: kind.prefix))
