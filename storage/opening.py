"""Open a store by its URL."""

import time
from urllib.parse import urlsplit

from schemas.errors import ConfigError
from storage.base import Clock, KeyValue
from storage.couchbase.url import SCHEMES as COUCHBASE_SCHEMES
from storage.couchbase.url import CouchbaseSettings


def open_store(url: str, clock: Clock = time.time) -> KeyValue:
    """The back end that `url` names.

    `memory:` (new and empty), `lmdb:///directory?sync=commit|os&map_size=64G`, or
    `couchbase://user:password@host/bucket`, whose options are in storage/couchbase/url.py.

    Raises ConfigError for a URL that cannot work, StoreUnavailable for a store that cannot be opened now.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        from storage.memory import MemoryStore  # each back end loads what it alone needs

        return MemoryStore(clock)
    if scheme == "lmdb":
        from storage.lmdb.store import LmdbSettings, LmdbStore

        return LmdbStore(LmdbSettings.from_url(url), clock)
    if scheme in COUCHBASE_SCHEMES:
        try:
            from storage.couchbase.store import CouchbaseStore
        except ModuleNotFoundError as missing:
            raise ConfigError(
                "a Couchbase store needs its SDK: pip install 'nearline-job-search[couchbase]'"
            ) from missing

        return CouchbaseStore(CouchbaseSettings.from_url(url), clock)
    raise ConfigError(f"store URL {url!r}: known are memory:, lmdb:///directory and couchbase://host/bucket")
