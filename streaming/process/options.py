"""Command lines of the Kafka processes: brokers and schema registry, a settings class, and logins from the environment."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from schemas import arguments
from schemas.settings import Option, build, rows
from storage.couchbase.url import with_login
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import PREFIX, KafkaSettings

T = TypeVar("T")
STORES = ("store_url", "cache_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Addresses that every process takes; what else a connection needs stands in the environment."""

    bootstrap: Annotated[
        str,
        Option(
            f"Kafka's brokers; without it {PREFIX}BOOTSTRAP, else {KafkaSettings().bootstrap}.",
            metavar="HOST:PORT,...",
        ),
    ] = ""
    schema_registry: Annotated[
        str,
        Option(
            f"Schema registry, http://host:port: read Confluent framing too, and write it. Credentials: {AUTH}.",
            metavar="URL",
        ),
    ] = ""


def parser(settings: type[Any], **about: Any) -> argparse.ArgumentParser:
    """A command line with the connections and the options of `settings`; `about` is what argparse's parser takes."""
    made = argparse.ArgumentParser(**about)
    for one in (Connections, settings):
        arguments.add(made, one)
    return made


def settings_of(settings: type[T], given: argparse.Namespace, environ: Mapping[str, str]) -> T:
    """`settings` as the command line and the environment give them; ConfigError names one that cannot work.

    Brokers go into the field `kafka`, the registry into `registry`, and a Couchbase store's login into its URL.
    """
    named = vars(given)
    connections = build(Connections, named)
    stores = {
        row.field: with_login(named[row.dest], environ) for row in rows(settings) if row.field in STORES
    }
    return build(
        settings,
        named,
        kafka=KafkaSettings.from_env(environ, bootstrap=connections.bootstrap),
        registry=RegistrySettings.from_env(environ, url=connections.schema_registry),
        **stores,
    )
