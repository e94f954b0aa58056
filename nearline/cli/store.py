"""`nearline store dump | get | stats`."""

import json
import sys
from typing import Annotated

import typer

from nearline.cli import options
from schemas.errors import ConfigError
from storage.base import open_store
from storage.dump import record_dict, store_stats
from storage.features import FeatureStore

app = typer.Typer(no_args_is_help=True, help="Look into a feature store.")

Url = Annotated[
    str | None, typer.Argument(help="lmdb:///folder, memory:, …; default: the local stack's store.")
]


@app.command()
def dump(url: Url = None, home: options.Home = None) -> None:
    """Print every record as JSON Lines, in key order."""
    store = FeatureStore(open_store(url or options.running_stack(home).store_url))
    for record in store.scan():
        sys.stdout.write(json.dumps(record_dict(record), ensure_ascii=False) + "\n")


@app.command()
def get(
    url: Annotated[str, typer.Argument(help="Store URL, or `local` for the local stack's.")],
    posting_id: Annotated[str, typer.Argument(help="The posting's id.")],
    home: options.Home = None,
) -> None:
    """Print one record as JSON."""
    store = FeatureStore(open_store(options.running_stack(home).store_url if url == "local" else url))
    record = store.get_many([posting_id])[0]
    if record is None:
        raise ConfigError(
            f"no posting {posting_id!r} in this store; `nearline store dump` lists what it holds"
        )
    sys.stdout.write(json.dumps(record_dict(record), ensure_ascii=False, indent=2) + "\n")


@app.command()
def stats(url: Url = None, home: options.Home = None) -> None:
    """Count what a store holds: records, each state, summaries still awaited."""
    store = FeatureStore(open_store(url or options.running_stack(home).store_url))
    sys.stdout.write(json.dumps(store_stats(store)) + "\n")
