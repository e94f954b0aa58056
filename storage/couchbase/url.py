"""Settings of a Couchbase store from its URL, and its login from the URL or the environment.

    couchbase[s]://[user:password@]host[:port][,host...]/bucket[/scope/collection][?option=value&...]

The options are in `PARAMETERS`; what counts without one depends on the `purpose`.

The login may stand in the environment instead (read in `main()` only, handed to `with_login`):
NEARLINE_COUCHBASE_USERNAME and NEARLINE_COUCHBASE_PASSWORD.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from schemas.environment import settings_in
from schemas.errors import ConfigError
from schemas.settings import UrlParameter

SCHEMES = ("couchbase", "couchbases")
PREFIX = "NEARLINE_COUCHBASE_"
USERNAME, PASSWORD = PREFIX + "USERNAME", PREFIX + "PASSWORD"
DURABILITIES = ("none", "majority", "majority_and_persist", "persist_to_majority")
_HOST = re.compile(r"([^:,\[\]]+|\[[0-9a-fA-F:]+\])(:\d+)?")
DEFAULT_COLLECTION = ("_default", "_default")


class Purpose(NamedTuple):
    """The defaults for one use of the store; `*_ms` in milliseconds, `*_s` in seconds."""

    timeout_ms: int
    connect_timeout_ms: int
    attempts: int
    reconnect_pause_s: float
    durability: str


PURPOSES = {
    "features": Purpose(5_000, 10_000, 4, 0.0, "majority"),
    # for 5 s after a failed connection a cache's calls fail at once; each would else wait for a connection of its own
    "cache": Purpose(200, 1_000, 1, 5.0, "none"),
}
_CHOICES = {
    "purpose": tuple(PURPOSES),
    "durability": DURABILITIES,
    "scan": ("range", "views"),
    "verify": ("peer", "none"),
}
_NUMBERS, _TEXTS = ("timeout_ms", "connect_timeout_ms"), ("certificate",)

PARAMETERS = {
    "purpose": UrlParameter(
        "`features`, `cache`",
        "`features`",
        "`features`: long time-outs, retries. `cache`: short time-outs, one attempt: its user goes on without it.",
    ),
    "timeout_ms": UrlParameter(
        "milliseconds",
        "5000; `cache`: 200",
        "Time-out of one operation, retries within the SDK included.",
    ),
    "connect_timeout_ms": UrlParameter(
        "milliseconds", "10000; `cache`: 1000, then 5 s of rest", "Time-out of connecting to the cluster."
    ),
    "durability": UrlParameter(
        ", ".join(f"`{name}`" for name in DURABILITIES),
        "`majority`; `cache`: `none`",
        "Where a write must be before it is acknowledged.",
    ),
    "scan": UrlParameter(
        "`range`, `views`",
        "`range`",
        "`range`: servers from 7.6 on. `views`: older ones and the test server; default collection only.",
    ),
    "certificate": UrlParameter(
        "path", "the system's", "The authority's PEM file, for `couchbases://`; on every machine."
    ),
    "verify": UrlParameter("`peer`, `none`", "`peer`", "Whether the server's certificate is checked."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchbaseSettings:
    """The settings that a URL gives; times in seconds."""

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
        """Parse a URL; raises ConfigError, which never shows a password."""
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
    """Add the login in `environ` to a Couchbase URL that has none; raises ConfigError for an unknown variable."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        return url
    for name in settings_in(environ, PREFIX):
        if name not in {USERNAME, PASSWORD}:
            raise ConfigError(f"{name} is not a setting; known are {USERNAME} and {PASSWORD}")
    if "@" in parts.netloc or USERNAME not in environ:
        return url
    login = f"{quote(environ[USERNAME], safe='')}:{quote(environ.get(PASSWORD, ''), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def without_login(url: str) -> str:
    """`url` without user and password, as it may be printed."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def for_cache(url: str) -> str:
    """`url` for a score cache: with purpose=cache, whose time-outs and durability replace those of `url`."""
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
        if name not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            raise ConfigError(f"store URL {shown!r}: unknown option {name!r}; known are {known}")
    return options
