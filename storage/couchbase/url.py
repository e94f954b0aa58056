"""What a `couchbase://` URL says, and who logs in.

    couchbase[s]://[user:password@]host[:port][,host...]/bucket[/scope/collection][?option=value&...]

| option | values (default by purpose: features, cache) |
|---|---|
| `purpose` | `features` (patient, retried) or `cache` (short time-outs, one attempt: its user goes on without it) |
| `timeout_ms` | of one operation, retries within the SDK included (5000, 200) |
| `connect_timeout_ms` | of connecting to the cluster (10000, 1000) |
| `durability` | `none`, `majority`, `majority_and_persist`, `persist_to_majority` (majority, none) |
| `scan` | `range` (servers from 7.6 on) or `views` (older ones and the test server; default collection only) |
| `certificate` | path of the authority's PEM file, for couchbases:// |
| `verify` | `peer` or `none`: whether the server's certificate is checked (peer) |

The login may stand in the environment instead (read in `main()` only, handed to `with_login`):
NEARLINE_COUCHBASE_USERNAME and NEARLINE_COUCHBASE_PASSWORD.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from schemas.errors import ConfigError

SCHEMES = ("couchbase", "couchbases")
PREFIX = "NEARLINE_COUCHBASE_"
USERNAME, PASSWORD = PREFIX + "USERNAME", PREFIX + "PASSWORD"
DURABILITIES = ("none", "majority", "majority_and_persist", "persist_to_majority")
_HOST = re.compile(r"([^:,\[\]]+|\[[0-9a-fA-F:]+\])(:\d+)?")
DEFAULT_COLLECTION = ("_default", "_default")


class Purpose(NamedTuple):
    """What a use of the store can afford; times in milliseconds."""

    timeout_ms: int
    connect_timeout_ms: int
    attempts: int
    reconnect_pause_s: float
    durability: str


PURPOSES = {
    "features": Purpose(5_000, 10_000, 4, 0.0, "majority"),
    # after a failed connection the cache answers at once for a while, or each of its calls would wait for another
    "cache": Purpose(200, 1_000, 1, 5.0, "none"),
}
_CHOICES = {
    "purpose": tuple(PURPOSES),
    "durability": DURABILITIES,
    "scan": ("range", "views"),
    "verify": ("peer", "none"),
}
_NUMBERS, _TEXTS = ("timeout_ms", "connect_timeout_ms"), ("certificate",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchbaseSettings:
    """A URL taken apart; times in seconds."""

    hosts: str
    bucket: str
    scope: str
    collection: str
    username: str
    password: str = field(repr=False)
    timeout_s: float
    connect_timeout_s: float
    attempts: int
    reconnect_pause_s: float
    durability: str
    scan: str = "range"
    certificate: str = ""
    verify: str = "peer"

    @classmethod
    def from_url(cls, url: str) -> "CouchbaseSettings":
        """Raises ConfigError, which never shows a password."""
        parts, shown = urlsplit(url), without_login(url)
        names = [unquote(name) for name in parts.path.strip("/").split("/")]
        login, _, hosts = parts.netloc.rpartition("@")
        if not hosts or not names[0] or len(names) not in {1, 3}:
            raise ConfigError(
                f"store URL {shown!r}: write couchbase://host/bucket or couchbase://host/bucket/scope/collection"
            )
        if not all(_HOST.fullmatch(host) for host in hosts.split(",")):
            raise ConfigError(
                f"store URL {shown!r}: hosts are names or addresses, each with :port if it is not the usual"
            )
        options = _options(shown, parts.query)
        purpose = PURPOSES[options.pop("purpose", "features")]
        scope, collection = names[1:] or DEFAULT_COLLECTION
        if options.get("scan") == "views" and (scope, collection) != DEFAULT_COLLECTION:
            raise ConfigError(f"store URL {shown!r}: scan=views sees the default collection only")
        username, password = _login(shown, login)
        return cls(
            hosts=f"{parts.scheme}://{hosts}",
            bucket=names[0],
            scope=scope,
            collection=collection,
            username=username,
            password=password,
            timeout_s=int(options.pop("timeout_ms", purpose.timeout_ms)) / 1000,
            connect_timeout_s=int(options.pop("connect_timeout_ms", purpose.connect_timeout_ms)) / 1000,
            attempts=purpose.attempts,
            reconnect_pause_s=purpose.reconnect_pause_s,
            durability=options.pop("durability", purpose.durability),
            **options,
        )

    @property
    def place(self) -> str:
        """Where the data are, for messages."""
        inner = () if (self.scope, self.collection) == DEFAULT_COLLECTION else (self.scope, self.collection)
        return "/".join((self.hosts, self.bucket, *inner))


def with_login(url: str, environ: Mapping[str, str]) -> str:
    """`url` with the login in `environ` if it is Couchbase's and has none. ConfigError on a name that means nothing."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        return url
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in {USERNAME, PASSWORD}:
            raise ConfigError(f"{name} is not a setting; known are {USERNAME} and {PASSWORD}")
    if "@" in parts.netloc or USERNAME not in environ:
        return url
    login = f"{quote(environ[USERNAME], safe='')}:{quote(environ.get(PASSWORD, ''), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def without_login(url: str) -> str:
    """`url` as it may be shown: without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def for_cache(url: str) -> str:
    """The same place for a score cache: purpose=cache, and its time-outs and durability."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name in {"scan", *_TEXTS, "verify"}]
    return urlunsplit(parts._replace(query=urlencode([*kept, ("purpose", "cache")])))


def _login(shown: str, login: str) -> tuple[str, str]:
    username, _, password = login.partition(":")
    if not (username and password):
        raise ConfigError(
            f"store URL {shown!r}: no login; set {USERNAME} and {PASSWORD}, "
            "or write couchbase://user:password@host/bucket"
        )
    return unquote(username), unquote(password)


def _options(shown: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in options.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigError(
                f"store URL {shown!r}: {name} is one of {', '.join(_CHOICES[name])}, not {value!r}"
            )
        if name in _NUMBERS and not (value.isdigit() and int(value) > 0):
            raise ConfigError(f"store URL {shown!r}: {name} is a number of milliseconds, not {value!r}")
        if name not in {*_CHOICES, *_NUMBERS, *_TEXTS}:
            known = ", ".join((*_CHOICES, *_NUMBERS, *_TEXTS))
            raise ConfigError(f"store URL {shown!r}: unknown option {name!r}; known are {known}")
    return options
