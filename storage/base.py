"""The `KeyValue` seam: bytes at rest behind five methods, and the URL that opens a back end."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from schemas.errors import StoreError

#: Reads the stored value (None when missing or expired), returns the value to store (None: leave as it is).
Merge = Callable[[bytes, bytes | None], bytes | None]


class KeyValue(Protocol):
    """A map from bytes to bytes. Every method is bulk; failures of single keys come back as values, outages raise.

    Times: `ttl_s` in seconds from the back end's clock at the write; a value is missing from the instant it expires.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values in the order of `keys`; None where missing or expired. Raises StoreUnavailable."""
        ...

    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Write blindly, in order (a later duplicate wins); a None value deletes. One result an item: None is done."""
        ...

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """Atomic read-modify-write of each key (a transaction or CAS); `merge` may run more than once.

        Returns what is stored afterwards under each key. A failed key carries its StoreError, the others are written.
        """
        ...

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Live pairs whose key starts with `prefix`, in key order; may miss what is written meanwhile."""
        ...

    def close(self) -> None:
        """Release files and connections; closing twice is fine."""
        ...
