"""The `KeyValue` seam: bytes at rest behind five methods, and the URL that opens a back end."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from schemas.errors import StoreError, ValueTooLarge

#: Reads the stored value (None when missing or expired), returns the value to store (None: leave as it is).
#: A StoreError raised inside fails its key alone; any other exception ends the batch with nothing written.
Merge = Callable[[bytes, bytes | None], bytes | None]

#: UTC seconds since the epoch; expiry is judged by it alone.
Clock = Callable[[], float]

#: Couchbase's limit of 250 less the four bytes that may name a collection; the same for every back end, so that stores
#: can be copied into each other (LMDB takes 511 less the eight that its expiry index puts before a key).
MAX_KEY_BYTES = 246
#: Couchbase's limit of a document less the expiry that stands before a value; the same for every back end.
MAX_VALUE_BYTES = 20 * 1024 * 1024 - 8


class KeyValue(Protocol):
    """A map from keys to bytes. Every method is bulk; failures of single keys come back as values, outages raise.

    A key is UTF-8 text without NUL, encoded, of 1 to `MAX_KEY_BYTES` bytes; order is that of its bytes.
    Times: `ttl_s` in seconds from the back end's clock at the write; a value is missing from the instant it expires.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values in the order of `keys`; None where missing or expired. Raises StoreUnavailable."""
        ...

    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Write blindly, in order (a later duplicate wins); a None value deletes. One result an item: None is done.

        Raises StoreFull and StoreUnavailable; then none of the batch is acknowledged.
        """
        ...

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """Atomic read-modify-write of each key (a transaction or CAS); `merge` may run more than once.

        Returns what is stored under each key after its turn; a duplicate meets what its predecessor left. A failed
        key carries its StoreError, the others are written. Raises as `put_many` does.
        """
        ...

    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Live pairs whose key starts with `prefix` and is not before `start`, in key order.

        May miss what is written meanwhile. Raises StoreUnavailable.
        """
        ...

    def close(self) -> None:
        """Release files and connections; closing twice is fine, using a closed store is a ValueError."""
        ...


def refusal(key: bytes, value: bytes | None = None) -> StoreError | None:
    """Why this pair can never be stored (mostly ValueTooLarge), or None."""
    if 0 < len(key) <= MAX_KEY_BYTES and key.isascii() and b"\0" not in key:
        return None if value is None else too_large(key, value)
    return _bad_key(key) or (None if value is None else too_large(key, value))


def too_large(key: bytes, value: bytes) -> ValueTooLarge | None:
    """Why this value can never be stored, or None."""
    if len(value) <= MAX_VALUE_BYTES:
        return None
    return ValueTooLarge(f"{key[:80]!r}: a value has at most {MAX_VALUE_BYTES} bytes, this one {len(value)}")


def _bad_key(key: bytes) -> StoreError | None:
    if not 0 < len(key) <= MAX_KEY_BYTES:
        return ValueTooLarge(f"a key has 1 to {MAX_KEY_BYTES} bytes, this one {len(key)}: {key[:40]!r}")
    if b"\0" in key or not (key.isascii() or _is_utf8(key)):
        return StoreError(f"a key is UTF-8 text without NUL, not {key[:40]!r}")
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
