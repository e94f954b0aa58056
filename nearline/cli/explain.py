"""`nearline explain SEARCH POSTING`: why a pair did or did not alert."""

import os
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from models.client.remote import open_ranker
from models.prompts import Prompter
from nearline.cli import options
from nearline.stack.settings import StackSettings
from pipeline.explain import Explainer, Explanation, ScoreCheck
from pipeline.scoring.cached import CachedScorer
from schemas.records import FeatureRecord
from storage.couchbase.url import with_login
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.kafka.framing import open_codec
from streaming.kafka.settings import KafkaSettings
from streaming.searches.current import current_search


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(explain)


def explain(
    search: Annotated[str, typer.Argument(help="The saved search's id.")],
    posting: Annotated[str, typer.Argument(help="The posting's id.")],
    home: options.Home = None,
) -> None:
    """Show why a saved search and a posting did or did not alert: filters, prompt, p_yes, cache, quota, ledger."""
    stack = options.running_stack(home)
    with closing(open_codec(options.registry(stack.schema_registry))) as codec:
        wanted = current_search(KafkaSettings(bootstrap=stack.bootstrap), codec, search)
    url, cache_url = (with_login(url, os.environ) for url in (stack.store_url, stack.cache_url))
    with closing(open_store(url)) as store, closing(open_store(cache_url)) as cache:
        made = _explainer(stack, FeatureStore(store), AlertLedger(store), ScoreCache(cache)).explain(
            wanted, posting
        )
    show(made, Console())


def _explainer(
    stack: StackSettings, features: FeatureStore, ledger: AlertLedger, cache: ScoreCache
) -> Explainer:
    url = stack.ranker_url
    prompter = None if stack.ranker_dir is None else Prompter.from_dir(stack.ranker_dir)
    return Explainer(
        features, CachedScorer(open_ranker(url, stack.ranker_dir), cache), ledger, prompter=prompter
    )


def show(made: Explanation, console: Console) -> None:
    """Print what decided, step by step."""
    search = made.search
    console.print(f"[bold]{escape(made.why)}[/]  ({made.fate})")
    console.print(
        f"search   {escape(repr(search.query))}  threshold {search.threshold}  top_k {search.top_k or 'no limit'}",
        highlight=False,
    )
    _print_record(made.record, console)
    for check in made.filters:
        console.print(
            f"{_mark(check.passed)} {check.name}: wanted {escape(str(check.wanted))}, has {escape(str(check.found))}",
            highlight=False,
        )
    if made.terms is not None:
        found, missing = ", ".join(made.terms.found) or "–", ", ".join(made.terms.missing) or "–"
        console.print(
            f"{_mark(made.terms.passed)} words: {made.terms.needed} needed; found {found}; missing {missing}"
        )
    if made.score is not None:
        _print_score(made.score, console)
    _print_limits(made, console)


def _print_limits(made: Explanation, console: Console) -> None:
    """What keeps a passing pair from alerting: the search's quota of the day, and the ledger."""
    if made.quota is not None:
        day = (date(1970, 1, 1) + timedelta(days=made.quota.day)).isoformat()
        console.print(
            f"{_mark(made.quota.passed)} quota: {made.quota.used} of {made.quota.allowed} alerts used on {day}, "
            "the posting's event-time day",
            highlight=False,
        )
    if made.alert_id is not None:
        held = "does not hold" if made.ledger is None else "holds"
        source = (
            f", sent for score.requests/{made.ledger.partition}/{made.ledger.offset}" if made.ledger else ""
        )
        console.print(f"ledger   {held} alert {made.alert_id}{source}", highlight=False)


def _print_record(record: FeatureRecord | None, console: Console) -> None:
    if record is None:
        return
    console.print(
        f"posting  {escape(record.title)}, {escape(record.company or '–')}  ({record.state})", highlight=False
    )
    console.print(
        f"versions record {_time(record.version)}  content {_time(record.content_version)}  opened {_time(record.episode)}"
        f"  summary by {record.model or 'nothing yet'}",
        highlight=False,
    )


def _print_score(score: ScoreCheck, console: Console) -> None:
    source = "the cache" if score.cached else score.model
    passed = score.p_yes >= score.threshold
    console.print(
        f"{_mark(passed)} p_yes {score.p_yes:.4f} against {score.threshold} (from {source})", highlight=False
    )
    console.print(f"prompt, {score.tokens or '?'} tokens:\n{escape(score.prompt)}", highlight=False)


def _mark(passed: bool) -> str:
    return "[green]✓[/]" if passed else "[red]✗[/]"


def _time(version_us: int) -> str:
    return (
        "never"
        if version_us < 0
        else datetime.fromtimestamp(version_us / 1e6, UTC).isoformat(timespec="seconds")
    )
