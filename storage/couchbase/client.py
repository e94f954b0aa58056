"""Couchbase's SDK in bulk: reads and writes by chunks, what surely was not done sent again, failures sorted.

A bulk call's failures are values of many classes: a conflict, something wrong with one key, or the outage of all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import stamina
from couchbase import exceptions as sdk
from couchbase.durability import DurabilityLevel, ServerDurability
from couchbase.options import (
    GetMultiOptions,
    InsertMultiOptions,
    RemoveMultiOptions,
    ReplaceMultiOptions,
    ReplaceOptions,
    UpsertMultiOptions,
)

from schemas.errors import StoreUnavailable, ValueTooLarge
from storage.couchbase.connection import Link
from storage.couchbase.url import CouchbaseSettings

T = TypeVar("T")
#: One bulk call of the SDK over keys or pairs.
Call = Callable[[Any, Any], Any]

CHUNK_ROWS = 1_000
CHUNK_BYTES = 16 * 1024 * 1024
RETRY_FIRST_S, RETRY_LAST_S = 0.05, 1.0
VALUE_TOO_LARGE = 104  # the SDK has no class for it

_DURABILITY = {
    "majority": DurabilityLevel.MAJORITY,
    "majority_and_persist": DurabilityLevel.MAJORITY_AND_PERSIST_TO_ACTIVE,
    "persist_to_majority": DurabilityLevel.PERSIST_TO_MAJORITY,
}
#: The server is certain not to have done it, so that it may be sent again whatever it was.
_UNSENT = (sdk.UnAmbiguousTimeoutException, sdk.TemporaryFailException, sdk.RateLimitedException)
#: Another writer came in between: read again, merge again.
CONFLICTS = (sdk.CasMismatchException, sdk.DocumentExistsException, sdk.DocumentNotFoundException)


class Stored(NamedTuple):
    """A document: its compare-and-swap token and its bytes."""

    cas: int
    data: bytes


class _Unsent(StoreUnavailable):
    """Some keys of a bulk call were not served; they may be sent again."""


class Client:
    """Bulk calls over one collection."""

    def __init__(self, settings: CouchbaseSettings) -> None:
        self.link = Link(settings)
        self._attempts = settings.attempts
        durability = _DURABILITY.get(settings.durability)
        common = {"timeout": timedelta(seconds=settings.timeout_s), "return_exceptions": True}
        self._reading = common
        self._writing = common | ({"durability": ServerDurability(durability)} if durability else {})

    def read(self, keys: Iterable[str]) -> dict[str, Stored]:
        """The documents that exist, read in chunks and retried. Raises StoreUnavailable and ConfigError."""
        found: dict[str, Stored] = {}
        for chunk in _chunks(dict.fromkeys(keys)):
            options = GetMultiOptions(**self._reading)
            answers = self._bulk(chunk, lambda keys, on: on.get_multi(list(keys), options))  # noqa: B023
            for key, answer in answers.items():
                if not isinstance(answer, Exception):
                    found[key] = Stored(answer.cas, answer.value)
                elif not isinstance(answer, sdk.DocumentNotFoundException):
                    raise self.link.outage(answer)
        return found

    def upsert(self, rows: Mapping[str, bytes], expiry: timedelta | None) -> dict[str, Exception]:
        """Write blindly; the failed keys, by `StoreError` where it is the key's own. Raises what `read` raises."""
        return self._write(
            rows, lambda rows, on: on.upsert_multi(rows, UpsertMultiOptions(expiry=expiry, **self._writing))
        )

    def insert(self, rows: Mapping[str, bytes], expiry: timedelta | None) -> dict[str, Exception]:
        """Write what must not exist yet; see `upsert`. One of CONFLICTS where it does."""
        return self._write(
            rows, lambda rows, on: on.insert_multi(rows, InsertMultiOptions(expiry=expiry, **self._writing))
        )

    def replace(
        self, rows: Mapping[str, bytes], cas: Mapping[str, int], expiry: timedelta | None
    ) -> dict[str, Exception]:
        """Write what must still be as it was read; see `upsert`. One of CONFLICTS where it is not."""

        def call(rows: dict[str, bytes], on: Any) -> Any:
            per_key = {key: ReplaceOptions(cas=cas[key]) for key in rows}
            return on.replace_multi(
                rows, ReplaceMultiOptions(expiry=expiry, per_key_options=per_key, **self._writing)
            )

        return self._write(rows, call)

    def remove(self, keys: Iterable[str]) -> dict[str, Exception]:
        """Delete; what is missing is done. See `upsert`."""
        rows = dict.fromkeys(keys, b"")
        failed = self._write(
            rows, lambda rows, on: on.remove_multi(list(rows), RemoveMultiOptions(**self._writing))
        )
        return {k: e for k, e in failed.items() if not isinstance(e, sdk.DocumentNotFoundException)}

    def _write(self, rows: Mapping[str, bytes], call: Call) -> dict[str, Exception]:
        failed: dict[str, Exception] = {}
        for chunk in _chunks(rows):
            for key, answer in self._bulk(chunk, call).items():
                if isinstance(answer, CONFLICTS):
                    failed[key] = answer
                elif isinstance(answer, Exception):
                    failed[key] = self._refusal(key, answer)
        return failed

    def _bulk(self, rows: dict[str, bytes | None], call: Call) -> dict[str, Any]:
        """The SDK's answer for each key, results and exceptions alike; what surely was not done is sent again."""
        bulk = _Bulk(self.link, call, rows)
        attempts = stamina.retry_context(
            on=_Unsent,
            attempts=self._attempts,
            timeout=None,
            wait_initial=RETRY_FIRST_S,
            wait_max=RETRY_LAST_S,
            wait_jitter=RETRY_FIRST_S,
        )
        try:
            for attempt in attempts:
                with attempt:
                    bulk.send()
        except _Unsent as error:
            raise StoreUnavailable(str(error)) from error
        return bulk.answers

    def _refusal(self, key: str, error: Exception) -> Exception:
        """What is wrong with this key alone, or the outage, raised."""
        if isinstance(error, sdk.CouchbaseException) and error.error_code == VALUE_TOO_LARGE:
            return ValueTooLarge(f"{key[:80]!r}: {self.link.words(error)}")
        raise self.link.outage(error)


class _Bulk:
    """One bulk call under way: what was answered, and what is still to be sent."""

    def __init__(self, link: Link, call: Call, rows: dict[str, bytes | None]) -> None:
        self.answers: dict[str, Any] = {}
        self._link, self._call, self._pending = link, call, rows

    def send(self) -> None:
        """Send what is pending; _Unsent when some of it is to be sent again."""
        collection = self._link.collection()
        try:
            answer = self._call(self._pending, collection)
        except sdk.CouchbaseException as error:
            raise self._link.outage(error) from error
        self.answers |= answer.results | answer.exceptions
        unsent = [key for key, error in answer.exceptions.items() if isinstance(error, _UNSENT)]
        self._pending = {key: self._pending[key] for key in unsent}
        if unsent:
            raise _Unsent(self._link.words(answer.exceptions[unsent[0]]))


def _chunks(rows: Mapping[str, bytes | None]) -> Iterator[dict[str, Any]]:
    """Rows in batches that one time-out is enough for."""
    chunk: dict[str, bytes | None] = {}
    size = 0
    for key, value in rows.items():
        if len(chunk) == CHUNK_ROWS or (chunk and size + len(value or b"") > CHUNK_BYTES):
            yield chunk
            chunk, size = {}, 0
        chunk[key] = value
        size += len(value or b"")
    if chunk:
        yield chunk


def batches(keys: Sequence[T], size: int = CHUNK_ROWS) -> Iterator[list[T]]:
    """`keys` in lists of at most `size`."""
    rest = iter(keys)
    while batch := list(islice(rest, size)):
        yield batch
