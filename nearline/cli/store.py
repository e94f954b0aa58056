"""`nearline store dump | get | stats | copy | verify`."""

import dataclasses
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from models.extractive.kept import kept
from models.prompts import MAX_CHARS
from nearline.cli import options
from nearline.shown import marked
from schemas.clean import clean
from schemas.errors import ConfigError
from storage.base import KeyValue
from storage.couchbase.url import without_login
from storage.features import FeatureStore
from storage.opening import open_store
from storage.tools.copy import Copied, copy_store, count_rows
from storage.tools.dump import record_dict, store_stats
from storage.tools.verify import Compared, VerifySettings, differences

app = typer.Typer(no_args_is_help=True, help="Look into a feature store.")

Url = Annotated[
    str | None,
    typer.Argument(help="lmdb:///folder, couchbase://host/bucket, …; default: the local stack's store."),
]
Source = Annotated[str, typer.Argument(metavar="FROM", help="Store URL, or `local` for the local stack's.")]
Target = Annotated[str, typer.Argument(metavar="TO", help="Store URL, or `local` for the local stack's.")]
Side = Annotated[str, typer.Argument(help="Store URL, or `local` for the local stack's.")]
_PROGRESS_S = 5.0
_COPIED = tuple(field.name for field in dataclasses.fields(Copied))


@app.command()
def dump(url: Url = None, home: options.Home = None) -> None:
    """Print every record as JSON Lines, in key order."""
    with closing(_open(url, home)) as kv:
        for record in FeatureStore(kv).scan():
            sys.stdout.write(json.dumps(record_dict(record), ensure_ascii=False) + "\n")


@app.command()
def get(
    url: Annotated[str, typer.Argument(help="Store URL, or `local` for the local stack's.")],
    posting_id: Annotated[str, typer.Argument(help="The posting's id.")],
    home: options.Home = None,
) -> None:
    """Print one record as JSON, with its text (`description`), in which ⟦⟧ mark what the summary repeats (`marked`)."""
    with closing(_open(url, home)) as kv:
        store = FeatureStore(kv)
        (record,), (text,) = store.get_many([posting_id]), store.texts([posting_id])
    if record is None:
        raise ConfigError(
            f"no posting {posting_id!r} in this store; `nearline store dump` lists what it holds"
        )
    row = record_dict(record) | text_dict("" if text is None else text.description, record.summary)
    sys.stdout.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")


@app.command()
def stats(url: Url = None, home: options.Home = None) -> None:
    """Count what a store holds: records, each state, summaries still awaited, texts, ledger entries, quotas."""
    with closing(_open(url, home)) as kv:
        _print(store_stats(FeatureStore(kv)) | {k: n for k, n in count_rows(kv).items() if k != "features"})


@app.command()
def copy(source: Source, target: Target, home: options.Home = None) -> None:
    """Merge a store into another one: the newest records win, and after a kill the same command continues.

    Records, texts, ledger and quotas; scores are computed again. Exit status 1 when a row could not be merged.
    """
    started = shown = time.monotonic()

    def progress(done: Copied) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _PROGRESS_S:
            shown = time.monotonic()
            rows = done.read.total()
            sys.stderr.write(f"{rows} rows, {rows / (shown - started):.0f} a second\n")

    name = without_login(options.store_url(source, home))
    with closing(_open(source, home)) as ours, closing(_open(target, home)) as theirs:
        done = copy_store(ours, theirs, name, on_progress=progress)
    seconds = round(time.monotonic() - started, 1)
    _print({name: getattr(done, name) for name in _COPIED} | {"seconds": seconds})
    raise typer.Exit(1 if done.failed else 0)


@app.command()
def verify(
    left: Side,
    right: Side,
    *,
    postings_only: Annotated[
        bool, typer.Option("--postings-only", help="Leave out the alerts' ledger and quotas.")
    ] = False,
    except_summaries: Annotated[
        bool,
        typer.Option("--except-summaries", help="Summaries may differ: one side has a newer generation."),
    ] = False,
    newer_right: Annotated[
        bool,
        typer.Option(
            "--newer-right",
            help="A stream writes to RIGHT: postings that are newer there do not differ, and the ledger is left out.",
        ),
    ] = False,
    limit: Annotated[int, typer.Option(help="Differences to print at most; all are counted.")] = 100,
    home: options.Home = None,
) -> None:
    """Compare two stores row by row: a line of JSON for each field that differs, exit status 1 if any does.

    The last line counts the rows compared and those that differ, by kind.
    """
    compared, found = Compared(), 0
    settings = VerifySettings(
        postings_only=postings_only, except_summaries=except_summaries, newer_right=newer_right
    )
    with closing(_open(left, home)) as a, closing(_open(right, home)) as b:
        for found, difference in enumerate(differences(a, b, compared, settings), 1):
            if found <= limit:
                _print(dataclasses.asdict(difference))
    _print({"rows": compared.rows, "different": compared.different, "differences": found})
    raise typer.Exit(1 if found else 0)


def _open(url: str | None, home: Path | None) -> KeyValue:
    return open_store(options.store_url(url, home))


def text_dict(description: str, summary: str) -> dict[str, object]:
    """A posting's text, and as the summarizer reads it with the words marked that an extractive summary repeats."""
    text = clean(description, MAX_CHARS)
    spans = [(phrase.start, phrase.end) for phrase in kept(text, summary) or ()]
    return {"description": description, "marked": marked(text, spans, bracketed=True).plain}


def _print(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
