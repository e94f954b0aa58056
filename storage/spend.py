"""What campaigns have spent, by day, over any `KeyValue`: no two searches together go over a budget."""

import struct
from collections.abc import Sequence

from schemas.errors import StoreError
from schemas.keys import spend_key
from storage.base import KeyValue

#: Days behind a day's end for which its spending can be read.
TTL_S = 8 * 86_400.0
_SPENT = struct.Struct("<q")


class SpendLedger:
    """Amounts are whole numbers of a smallest unit, such as cents; days are counted from 1970, UTC."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def spent(self, campaigns: Sequence[str], day: int) -> list[int]:
        """What each campaign has spent on a day. Raises StoreUnavailable."""
        return [_read(data) for data in self._kv.get_many([spend_key(name, day) for name in campaigns])]

    def charge(self, campaign: str, day: int, amount: int, budget: int) -> bool:
        """Spend an amount, unless the day's sum would be above the budget; whether it was spent.

        One atomic step at the store, so that several processes may charge. Raises StoreUnavailable and StoreError.
        """
        fits = False

        def merge(_key: bytes, stored: bytes | None) -> bytes | None:
            nonlocal fits
            total = _read(stored) + amount
            fits = total <= budget
            return _SPENT.pack(total) if fits else None

        (done,) = self._kv.merge_many([spend_key(campaign, day)], merge, ttl_s=TTL_S)
        if isinstance(done, StoreError):
            raise done
        return fits


def _read(data: bytes | None) -> int:
    return 0 if data is None else int(_SPENT.unpack(data)[0])
