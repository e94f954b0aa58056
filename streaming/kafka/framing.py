"""Framing of values on topics: Avro single-object encoding, or Confluent's where a schema registry is set.

The feature store keeps single-object encoding whatever the topics carry: it must be readable without the registry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.codec import Codec
from schemas.errors import ConfigError, NearlineError
from schemas.registry import SchemaRegistry

AUTH = "NEARLINE_SCHEMA_REGISTRY_AUTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """The schema registry's URL (empty: none) and `user:password` for it. Raises ConfigError for what cannot work."""

    url: str = ""
    auth: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"--schema-registry {self.url!r}: give a URL, http://host:port")
        if self.auth and ":" not in self.auth:
            raise ConfigError(f"{AUTH} is not user:password")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, url: str) -> "RegistrySettings":
        """The registry at `url` with the credentials in `environ`."""
        return cls(url=url, auth=environ.get(AUTH, ""))


def open_codec(
    registry: RegistrySettings, writes: Mapping[type[Any], str] | None = None, *, timeout_s: float = 5.0
) -> Codec:
    """The codec of topic values; close it. Without a registry it writes single-object encoding and reads nothing else.

    `writes`: the topic of each record that the caller sends. Their schemas are registered now under Confluent's
    default subjects, `<topic>-value` (TopicNameStrategy), so that only reading a new schema id can meet an outage
    later. Raises RegistryUnavailable, and IncompatibleSchema where a subject holds a schema that ours cannot follow.
    """
    if not registry.url:
        return Codec()
    subjects = {record: f"{topic}-value" for record, topic in (writes or {}).items()}
    codec = Codec(SchemaRegistry(registry.url, auth=registry.auth, timeout_s=timeout_s), subjects)
    try:
        codec.register_subjects()
    except NearlineError:
        codec.close()
        raise
    return codec
