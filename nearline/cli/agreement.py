"""`nearline agreement CANDIDATE BEFORE`: whether new summaries serve the ranker as well as those they replace."""

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.client.remote import open_ranker
from nearline.cli import options
from pipeline.checks.agreement import agreement as measure
from schemas.events import read_searches
from storage.features import FeatureStore
from storage.opening import open_store

_SEARCHES = Path(__file__).parents[1] / "sample" / "searches.jsonl"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(agreement)


def agreement(
    candidate: Annotated[str, typer.Argument(help="Store URL of a sample with new summaries and its texts.")],
    before: Annotated[
        str, typer.Argument(help="Store URL of the summaries that the new ones would replace.")
    ],
    searches: Annotated[
        Path, typer.Option(help="Saved searches, JSON Lines, whose queries are asked.")
    ] = _SEARCHES,
    ranker: Annotated[
        str, typer.Option(help="Model server's URL, or `instant:` (shared words).")
    ] = "instant:",
    tokenizer: Annotated[
        Path | None, typer.Option(help="The ranker's checkpoint; default: the shipped one.")
    ] = None,
    margin: Annotated[float, typer.Option(help="How much lower the agreement may be than before.")] = 0.02,
    most_share: Annotated[
        float, typer.Option(help="Highest ratio of the summaries' tokens to the texts' tokens.")
    ] = 0.3,
    deadline_s: Annotated[float, typer.Option(help="Time for the scores of one query.")] = 60.0,
) -> None:
    """Compare the ranker's order of postings by summary with its order by raw text, for new and for old summaries.

    Prints Kendall's tau of both as JSON. Exit status 1 when the new summaries are worse than `--margin` allows, or
    longer than `--most-share` allows.
    """
    shipped = None if ranker.startswith("instant:") else options.CHECKPOINTS / "ranker-tiny"
    scorer = open_ranker(ranker, tokenizer or shipped)
    queries = [search.query for search in read_searches(searches) if search.query]
    urls = [options.store_url(url, None) for url in (candidate, before)]
    with closing(open_store(urls[0])) as new, closing(open_store(urls[1])) as old:
        found = measure(FeatureStore(new), FeatureStore(old), scorer, queries, deadline_s)
    passed = found.passes(margin=margin, most_share=most_share)
    typer.echo(json.dumps({**asdict(found), "passed": passed}))
    raise typer.Exit(0 if passed else 1)
