"""Bulk reads and writes with Couchbase's SDK: in chunks, retried where that is safe, its errors as ours.

A bulk call returns errors as values: a conflict, an error of one key, or an outage that fails the whole call.
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
from storage.couchbase.connection import Connection
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
#: The server certainly did not execute the request, so that any request may be sent again.
_NOT_EXECUTED = (sdk.UnAmbiguousTimeoutException, sdk.TemporaryFailException, sdk.RateLimitedException)
#: Another writer changed the document between our read and our write: read and merge again.
CONFLICTS = (sdk.CasMismatchException, sdk.DocumentExistsException, sdk.DocumentNotFoundException)


class Document(NamedTuple):
    """A stored document: its compare-and-swap token and its bytes."""

    cas: int
    data: bytes


class _NotExecuted(StoreUnavailable):
    """The server executed a bulk call for some of its keys only; the others may be sent again."""


class Client:
    """Bulk calls over one collection."""

    def __init__(self, settings: CouchbaseSettings) -> None:
        self.connection = Connection(settings)
        self._attempts = settings.attempts
        durability = _DURABILITY.get(settings.durability)
        common = {"timeout": timedelta(seconds=settings.timeout_s), "return_exceptions": True}
        self._reading = common
        self._writing = common | ({"durability": ServerDurability(durability)} if durability else {})

    def read(self, keys: Iterable[str]) -> dict[str, Document]:
        """The documents that exist, read in chunks and retried. Raises StoreUnavailable and ConfigError."""
        found: dict[str, Document] = {}
        for chunk in _chunks(dict.fromkeys(keys)):
            options = GetMultiOptions(**self._reading)
            answers = self._bulk(chunk, lambda keys, on: on.get_multi(list(keys), options))  # noqa: B023
            for key, answer in answers.items():
                if not isinstance(answer, Exception):
                    found[key] = Document(answer.cas, answer.value)
                elif not isinstance(answer, sdk.DocumentNotFoundException):
                    raise self.connection.outage(answer)
        return found

    def upsert(self, rows: Mapping[str, bytes], expiry: timedelta | None) -> dict[str, Exception]:
        """Write whatever is stored; returns the keys that failed, with a StoreError each. Raises what `read` raises."""
        return self._write(
            rows, lambda rows, on: on.upsert_multi(rows, UpsertMultiOptions(expiry=expiry, **self._writing))
        )

    def insert(self, rows: Mapping[str, bytes], expiry: timedelta | None) -> dict[str, Exception]:
        """Write documents that must not exist yet; returns as `upsert`, with one of CONFLICTS where one exists."""
        return self._write(
            rows, lambda rows, on: on.insert_multi(rows, InsertMultiOptions(expiry=expiry, **self._writing))
        )

    def replace(
        self, rows: Mapping[str, bytes], cas: Mapping[str, int], expiry: timedelta | None
    ) -> dict[str, Exception]:
        """Write documents that must not have changed; returns as `upsert`, with one of CONFLICTS where one has."""

        def call(rows: dict[str, bytes], on: Any) -> Any:
            per_key = {key: ReplaceOptions(cas=cas[key]) for key in rows}
            return on.replace_multi(
                rows, ReplaceMultiOptions(expiry=expiry, per_key_options=per_key, **self._writing)
            )

        return self._write(rows, call)

    def remove(self, keys: Iterable[str]) -> dict[str, Exception]:
        """Delete documents; a missing one is no failure. Returns as `upsert`."""
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
        """The SDK's result or exception for each key, after sending again what the server did not execute."""
        bulk = _Bulk(self.connection, call, rows)
        attempts = stamina.retry_context(
            on=_NotExecuted,
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
        except _NotExecuted as error:
            raise StoreUnavailable(str(error)) from error
        return bulk.answers

    def _refusal(self, key: str, error: Exception) -> Exception:
        """The error of this key alone; raises an error that fails the whole call."""
        if isinstance(error, sdk.CouchbaseException) and error.error_code == VALUE_TOO_LARGE:
            return ValueTooLarge(f"{key[:80]!r}: {self.connection.describe(error)}")
        raise self.connection.outage(error)


class _Bulk:
    """One bulk call with its retries: the answers so far, and the rows still to be sent."""

    def __init__(self, connection: Connection, call: Call, rows: dict[str, bytes | None]) -> None:
        self.answers: dict[str, Any] = {}
        self._connection, self._call, self._pending = connection, call, rows

    def send(self) -> None:
        """Send the pending rows; raises _NotExecuted when some of them are still pending."""
        collection = self._connection.collection()
        try:
            answer = self._call(self._pending, collection)
        except sdk.CouchbaseException as error:
            raise self._connection.outage(error) from error
        self.answers |= answer.results | answer.exceptions
        missed = [key for key, error in answer.exceptions.items() if isinstance(error, _NOT_EXECUTED)]
        self._pending = {key: self._pending[key] for key in missed}
        if missed:
            raise _NotExecuted(self._connection.describe(answer.exceptions[missed[0]]))


def _chunks(rows: Mapping[str, bytes | None]) -> Iterator[dict[str, Any]]:
    """Rows in batches small enough for one time-out."""
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
