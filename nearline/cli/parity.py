"""`nearline parity LEFT RIGHT`."""

import json
import os
import sys
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from pipeline.checks.parity import SUMMARY, Compared, compare
from storage.couchbase.url import with_login
from storage.features import FeatureStore
from storage.opening import open_store

Url = Annotated[str, typer.Argument(help="Store URL, such as lmdb:///folder.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(parity)


def parity(
    left: Url,
    right: Url,
    *,
    except_summaries: Annotated[
        bool,
        typer.Option("--except-summaries", help="Summaries may differ: one side has a newer generation."),
    ] = False,
    newer_right: Annotated[
        bool,
        typer.Option("--newer-right", help="A stream writes to RIGHT: what is newer there does not differ."),
    ] = False,
) -> None:
    """Compare two stores posting by posting; a line of JSON for each field that differs, exit status 1 for any."""
    compared = Compared()
    left, right = (with_login(url, os.environ) for url in (left, right))
    with closing(open_store(left)) as a, closing(open_store(right)) as b:
        ignored = SUMMARY if except_summaries else frozenset[str]()
        found = compare(FeatureStore(a), FeatureStore(b), compared, ignored=ignored, newer_right=newer_right)
        for difference in found:
            sys.stdout.write(json.dumps(asdict(difference), ensure_ascii=False, default=_plain) + "\n")
    Console(stderr=True).print(f"{compared.postings} postings, {compared.different} of them differ")
    raise typer.Exit(1 if compared.different else 0)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
