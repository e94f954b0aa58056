"""Settings of a backfill, and their command line."""

import argparse
import types
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from schemas.errors import ConfigError

LOCAL_STORES = ("lmdb:", "memory:")


class BackfillMode(StrEnum):
    """Which postings of the catalog are worked on."""

    ALL = "all"
    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSettings:
    """Settings of a backfill; making one that cannot work raises ConfigError, which names the setting.

    `catalog`: files, folders, globs or URIs. `state`: the folder (or URI) of progress files. `sample`: the part of
    the postings to work on, chosen by their ids. `parallelism` tasks share `concurrency` calls in flight and
    `rate_per_s` summaries (0: no limit). `publish`: Kafka brokers to send each changed record to, framed by
    `schema_registry` if given. `chunk_rows`: rows of one call of featurize. `patience_s`: how long to wait for the
    end of an outage.
    """

    catalog: tuple[str, ...]
    store_url: str
    summarizer_url: str = "instant:"
    tokenizer_dir: str = ""
    mode: BackfillMode = BackfillMode.ALL
    sample: float = 1.0
    dry_run: bool = False
    assume_rate_per_s: float = 0.0
    state: str = "build/backfill"
    report: str = ""
    dead_letters: str = ""
    publish: str = ""
    schema_registry: str = ""
    parallelism: int = 2
    chunk_rows: int = 500
    split_mib: int = 32
    concurrency: int = 16
    rate_per_s: float = 0.0
    deadline_s: float = 300.0
    patience_s: float = 600.0

    def __post_init__(self) -> None:
        if not self.catalog:
            raise ConfigError("no catalog: name a file, a folder or a glob of postings")
        for name in ("parallelism", "chunk_rows", "split_mib", "concurrency", "deadline_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("rate_per_s", "assume_rate_per_s", "patience_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 < self.sample <= 1:
            raise ConfigError(f"sample must be above 0 and at most 1, not {self.sample}")
        if self.concurrency < self.parallelism:
            raise ConfigError(
                f"concurrency {self.concurrency} is less than parallelism {self.parallelism}: "
                "each task needs at least one call; run fewer tasks"
            )
        if self.schema_registry and not self.publish:
            raise ConfigError(
                "schema_registry frames what is published: give publish, the Kafka brokers, too"
            )
        if self.store_url.startswith("memory:") and not self.dry_run:
            raise ConfigError(
                "a memory: store is gone when the backfill ends: give lmdb:///folder or couchbase://"
            )

    def check_master(self, master: str) -> None:
        """Raise ConfigError if the store is on this machine and Spark's workers are not."""
        # the workers of a master on loopback are on this machine too
        if master.startswith(("local", "spark://127.0.0.1:", "spark://localhost:")):
            return
        if self.store_url.startswith(LOCAL_STORES):
            raise ConfigError(
                f"store {self.store_url} lives on one machine, but Spark's master is {master}: "
                "give a store that every worker reaches, such as couchbase://"
            )


def to_argv(settings: BackfillSettings) -> list[str]:
    """The command line of the settings that differ from the defaults; `from_argv` reads it."""
    argv: list[str] = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "catalog" or value == field.default:
            continue
        argv.append(_flag(field.name))
        if value is not True:
            argv.append(str(value))
    return [*argv, *settings.catalog]


def from_argv(argv: Sequence[str], **parser: Any) -> BackfillSettings:
    """The settings that a command line asks for; argparse ends the process for a bad one. Raises ConfigError."""
    arguments = argparse.ArgumentParser(**parser)
    kinds = get_type_hints(BackfillSettings)
    for field in fields(BackfillSettings):
        kind, given = kinds[field.name], field.default is not MISSING
        if get_origin(kind) is tuple:
            arguments.add_argument(field.name, nargs="+", type=get_args(kind)[0])
        elif kind is bool:
            arguments.add_argument(_flag(field.name), dest=field.name, action="store_true")
        else:
            default = field.default if given else None
            arguments.add_argument(
                _flag(field.name), dest=field.name, type=kind, default=default, required=not given
            )
    found: types.SimpleNamespace = arguments.parse_args(argv, types.SimpleNamespace())
    return BackfillSettings(**{**vars(found), "catalog": tuple(found.catalog)})


def _flag(name: str) -> str:
    return "--" + name.removesuffix("_url").replace("_", "-")
