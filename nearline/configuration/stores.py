"""Store URLs and their parameters, as sections of the configuration page."""

from collections.abc import Mapping

from nearline.configuration.tables import Entry, Section
from schemas.settings import UrlParameter
from storage.couchbase import url as couchbase
from storage.lmdb import store as lmdb

HEAD = ("parameter", "values", "default", "meaning")
TEXT = """Every `--store` and `--cache` takes one of these; parameters stand behind a `?`, with `&` between.

- `lmdb:///directory`: one machine, any number of processes.
- `couchbase://host[:port][,host...]/bucket[/scope/collection]`, or `couchbases://` for TLS: many machines.
- `memory:`: one process; gone when it ends."""


def stores() -> list[Section]:
    """What a URL may say, by back end."""
    return [
        Section(2, "Store URLs", TEXT),
        _section("`lmdb:///directory?…`", lmdb.PARAMETERS),
        _section("`couchbase://host/bucket?…`", couchbase.PARAMETERS),
    ]


def _section(title: str, parameters: Mapping[str, UrlParameter]) -> Section:
    entries = tuple(Entry(f"`{name}`", one.values, one.default, one.help) for name, one in parameters.items())
    return Section(3, title, "", entries, HEAD)
