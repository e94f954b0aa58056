"""One connection to Couchbase a process, and what its SDK's errors mean to us.

Traps that are handled here: a forked child that uses its parent's connection hangs, and one that destroys it aborts; a
cluster does not pickle; a call that cannot connect blocks.
"""

import ctypes
import os
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path
from typing import Any

from couchbase import exceptions as sdk
from couchbase.auth import PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.options import ClusterOptions, ClusterTimeoutOptions, ClusterTracingOptions, TLSVerifyMode
from couchbase.transcoder import RawBinaryTranscoder

from schemas.errors import ConfigError, StoreError, StoreFull, StoreUnavailable
from storage.couchbase.url import PASSWORD, USERNAME, CouchbaseSettings

_clusters: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Link:
    """The collection that a URL names; connects in the process that first uses it, again after a fork."""

    def __init__(self, settings: CouchbaseSettings) -> None:
        self.settings = settings
        self._connected: tuple[int, Any, Any] | None = None
        self._locks: dict[int, threading.Lock] = {}
        self._refused: tuple[float, str] = (0.0, "")

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

    def words(self, error: Exception) -> str:
        """Where it happened and what the SDK says."""
        name = type(error).__name__.removesuffix("Exception")
        message = getattr(error, "message", None) or str(error)
        context = getattr(error, "error_context", None)
        reasons = ", ".join(sorted(map(str, getattr(context, "retry_reasons", None) or ())))
        # a collection that does not exist is a time-out to the SDK, with that among its reasons
        return f"{self.settings.place}: {name}, {message}" + (f" (waited for: {reasons})" if reasons else "")

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


def _keep_inherited() -> None:
    """Its threads are the parent's: a cluster that a forked child destroyed would take the child with it."""
    for cluster in list(_clusters):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(cluster))


os.register_at_fork(after_in_child=_keep_inherited)
