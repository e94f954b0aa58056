"""Framing of message values: Avro single-object encoding, or Confluent's framing where a schema registry is set.

The feature store has single-object encoding in both cases, because it must be readable without the registry.
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
    """The schema registry's URL (empty: none) and `user:password` for it. ConfigError names one that cannot work."""

    url: str = ""
    auth: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"--schema-registry {self.url!r}: give a URL, http://host:port")
        if self.auth and ":" not in self.auth:
            raise ConfigError(f"{AUTH} is not user:password")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, url: str) -> "RegistrySettings":
        """The registry at `url`, with the credentials in `environ`."""
        return cls(url=url, auth=environ.get(AUTH, ""))


def open_codec(
    registry: RegistrySettings, writes: Mapping[type[Any], str] | None = None, *, timeout_s: float = 5.0
) -> Codec:
    """Open the codec of message values; the caller closes it. Without a registry it knows single-object encoding only.

    `writes`: the topic of each record type that the caller sends. The schemas are registered here, under Confluent's
    default subjects `<topic>-value` (TopicNameStrategy), so that later only an unknown schema id needs the registry.
    Raises RegistryUnavailable, and IncompatibleSchema when a subject has a schema that ours is not compatible with.
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
