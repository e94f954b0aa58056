"""Command lines as tables: a row names a field of a settings class and says what it is for; the field says the rest."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

from storage.couchbase.url import with_login
from streaming.kafka.framing import RegistrySettings
from streaming.kafka.settings import PREFIX, KafkaSettings


class Option(NamedTuple):
    """One field as an option: `--field-name` unless `flag` is given; `help` may be argparse.SUPPRESS."""

    field: str
    help: str
    flag: str = ""
    metavar: str | None = None


def add(parser: argparse.ArgumentParser, settings: type[Any], options: Iterable[Option]) -> None:
    """Add a row's option each; type and default are the field's, and a field without a default must be given."""
    kinds, defaults = get_type_hints(settings), {f.name: f.default for f in fields(settings)}
    for option in options:
        default = defaults[option.field]
        known = default is not MISSING
        parser.add_argument(
            option.flag or f"--{option.field.replace('_', '-')}",
            dest=option.field,
            type=_plain(kinds[option.field]),
            default=default if known else None,
            required=not known,
            metavar=option.metavar,
            help=f"{option.help} ({default})" if known and default not in (None, "") else option.help,
        )


def add_connections(parser: argparse.ArgumentParser, framing: str) -> None:
    """Add the addresses that every process needs; `framing` says what it does in Confluent framing."""
    brokers = f"Kafka's brokers ({PREFIX}BOOTSTRAP, else {KafkaSettings().bootstrap})"
    parser.add_argument("--bootstrap", default="", metavar="HOST:PORT,...", help=brokers)
    parser.add_argument("--schema-registry", default="", metavar="URL", help=f"{framing}; http://host:port")


def connections(given: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    """`kafka` and `registry` of a settings class, logins from the environment. ConfigError names what cannot work."""
    return {
        "kafka": KafkaSettings.from_env(environ, bootstrap=given.bootstrap),
        "registry": RegistrySettings.from_env(environ, url=given.schema_registry),
    }


def stores(given: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """`store_url` and `cache_url`, as far as the command line has them, with the login in the environment."""
    named = {name: getattr(given, name, None) for name in ("store_url", "cache_url")}
    return {name: with_login(url, environ) for name, url in named.items() if url is not None}


def taken(settings: type[Any], given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `settings` that the command line has."""
    return {f.name: getattr(given, f.name) for f in fields(settings) if hasattr(given, f.name)}


def _plain(kind: Any) -> Any:
    """`Path` of `Path | None`."""
    return next((part for part in get_args(kind) if part is not NoneType), kind)
