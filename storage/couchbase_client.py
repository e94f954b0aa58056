"""Couchbase's SDK as the adapter needs it: one connection a process, bulk calls, and its errors as ours.

Traps that are handled here: a forked child that uses its parent's connection hangs, and one that drops it aborts; a
cluster does not pickle; a call that cannot connect blocks; a bulk call's failures are values of many classes.
"""

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import stamina
from couchbase import exceptions as sdk
from couchbase.auth import PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.durability import DurabilityLevel, ServerDurability
from couchbase.options import (
    ClusterOptions,
    ClusterTimeoutOptions,
    ClusterTracingOptions,
    GetMultiOptions,
    InsertMultiOptions,
    RemoveMultiOptions,
    ReplaceMultiOptions,
    ReplaceOptions,
    TLSVerifyMode,
    UpsertMultiOptions,
)
from couchbase.transcoder import RawBinaryTranscoder

from schemas.errors import ConfigError, StoreError, StoreFull, StoreUnavailable, ValueTooLarge
from storage.couchbase_url import PASSWORD, USERNAME, CouchbaseSettings

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

_clusters: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Stored(NamedTuple):
    """A document: its compare-and-swap token and its bytes."""

    cas: int
    data: bytes


class _Unsent(StoreUnavailable):
    """Some keys of a bulk call were not served; they may be sent again."""


class Client:
    """Bulk calls over one collection; connects in the process that first uses it, again after a fork."""

    def __init__(self, settings: CouchbaseSettings) -> None:
        self.settings = settings
        self._connected: tuple[int, Any, Any] | None = None
        self._locks: dict[int, threading.Lock] = {}
        self._refused: tuple[float, str] = (0.0, "")
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
                    raise self.outage(answer)
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

    def collection(self) -> Any:
        """The SDK's collection in this process."""
        return self._connection()[2]

    def bucket(self) -> Any:
        """The SDK's bucket in this process."""
        return self._connection()[1].bucket(self.settings.bucket)

    def close(self) -> None:
        """Leave the cluster; what was inherited by a fork is the parent's to close."""
        connected, self._connected = self._connected, None
        if connected is not None and connected[0] == os.getpid():
            connected[1].close()

    def outage(self, error: Exception) -> StoreError | ConfigError:
        """An error of the SDK that ends a whole call, as ours."""
        words = self.words(error)
        if isinstance(error, sdk.AuthenticationException):
            return ConfigError(
                f"{words}: check {USERNAME} and {PASSWORD}, and that this user may read and write"
            )
        if isinstance(error, sdk.BucketNotFoundException):
            return ConfigError(f"{words}: no such bucket, or not this user's; create it, or correct the URL")
        if isinstance(error, (sdk.ScopeNotFoundException, sdk.CollectionNotFoundException)):
            return ConfigError(f"{words}: create the scope and the collection, or correct the URL")
        if isinstance(error, (sdk.FeatureUnavailableException, sdk.UnsupportedOperation)):
            return ConfigError(f"{words}: this server cannot do that; see the URL's options")
        if isinstance(error, (sdk.DurabilityImpossibleException, sdk.DurabilityInvalidLevelException)):
            return StoreUnavailable(f"{words}: too few nodes for durability={self.settings.durability}")
        if isinstance(error, sdk.QuotaLimitedException):
            return StoreFull(f"{words}: make room, or raise the quota")
        return StoreUnavailable(words)

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
        bulk = _Bulk(self, call, rows)
        attempts = stamina.retry_context(
            on=_Unsent,
            attempts=self.settings.attempts,
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

    def _connection(self) -> tuple[int, Any, Any]:
        pid = os.getpid()
        connected = self._connected
        if connected is None or connected[0] != pid:
            # a lock of the parent may be held by a thread that is not here
            with self._locks.setdefault(pid, threading.Lock()):
                connected = self._connected
                if connected is None or connected[0] != pid:
                    connected = self._connected = (pid, *self._connect())
        return connected

    def _connect(self) -> tuple[Any, Any]:
        until, reason = self._refused
        if time.monotonic() < until:
            raise StoreUnavailable(reason)
        settings, cluster = self.settings, None
        try:
            cluster = Cluster(settings.hosts, _options(settings))
            _clusters.add(cluster)
            bucket = cluster.bucket(settings.bucket)
        except sdk.CouchbaseException as error:
            if cluster is not None:
                cluster.close()
            failure = self.outage(error)
            self._refused = (time.monotonic() + settings.reconnect_pause_s, str(failure))
            raise failure from error
        return cluster, bucket.scope(settings.scope).collection(settings.collection)

    def _refusal(self, key: str, error: Exception) -> Exception:
        """What is wrong with this key alone, or the outage, raised."""
        if isinstance(error, sdk.CouchbaseException) and error.error_code == VALUE_TOO_LARGE:
            return ValueTooLarge(f"{key[:80]!r}: {self.words(error)}")
        raise self.outage(error)

    def words(self, error: Exception) -> str:
        """Where it happened and what the SDK says."""
        name = type(error).__name__.removesuffix("Exception")
        message = getattr(error, "message", None) or str(error)
        context = getattr(error, "error_context", None)
        reasons = ", ".join(sorted(map(str, getattr(context, "retry_reasons", None) or ())))
        # a collection that does not exist is a time-out to the SDK, with that among its reasons
        return f"{self.settings.place}: {name}, {message}" + (f" (waited for: {reasons})" if reasons else "")


class _Bulk:
    """One bulk call under way: what was answered, and what is still to be sent."""

    def __init__(self, client: Client, call: Call, rows: dict[str, bytes | None]) -> None:
        self.answers: dict[str, Any] = {}
        self._client, self._call, self._pending = client, call, rows

    def send(self) -> None:
        """Send what is pending; _Unsent when some of it is to be sent again."""
        collection = self._client.collection()
        try:
            answer = self._call(self._pending, collection)
        except sdk.CouchbaseException as error:
            raise self._client.outage(error) from error
        self.answers |= answer.results | answer.exceptions
        unsent = [key for key, error in answer.exceptions.items() if isinstance(error, _UNSENT)]
        self._pending = {key: self._pending[key] for key in unsent}
        if unsent:
            raise _Unsent(self._client.words(answer.exceptions[unsent[0]]))


def _options(settings: CouchbaseSettings) -> Any:
    if settings.certificate and not Path(settings.certificate).is_file():
        raise ConfigError(
            f"{settings.place}: certificate {settings.certificate}: no such file on this machine"
        )
    waiting = timedelta(seconds=settings.connect_timeout_s)
    return ClusterOptions(
        PasswordAuthenticator(settings.username, settings.password, cert_path=settings.certificate or None),
        timeout_options=ClusterTimeoutOptions(bootstrap_timeout=waiting, connect_timeout=waiting),
        tracing_options=ClusterTracingOptions(enable_tracing=False),
        enable_metrics=False,
        transcoder=RawBinaryTranscoder(),
        tls_verify=TLSVerifyMode.NONE if settings.verify == "none" else TLSVerifyMode.PEER,
    )


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


def _keep_inherited() -> None:
    """Its threads are the parent's: a cluster that a forked child destroyed would take the child with it."""
    for cluster in list(_clusters):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(cluster))


os.register_at_fork(after_in_child=_keep_inherited)
