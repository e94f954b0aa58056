"""`nearline explain SEARCH POSTING`: why a pair did or did not alert."""

import logging
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from models.extractive.kept import kept
from models.prompts import MAX_CHARS
from models.vectors import width_of
from nearline.cli import options
from nearline.cli.explain_parts import ExplainedSystem, ExplainParts, addresses
from nearline.cli.from_settings import from_settings
from nearline.shown import cell, marked, markup
from pipeline.explain import Explanation, ScoreCheck
from schemas.clean import clean
from schemas.keys import US_PER_DAY
from schemas.records import FeatureRecord
from schemas.times import iso
from schemas.vectors import has_vector
from storage.ledger_entry import LedgerEntry, Sent


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(explain)


@from_settings
def explain(
    search: Annotated[str, typer.Argument(help="The saved search's id.")],
    posting: Annotated[str, typer.Argument(help="The posting's id.")],
    system: ExplainedSystem,
    home: options.Home = None,
) -> None:
    """Show why a search and a posting did or did not alert: filters, prompt, p_yes, cache, versions, quota, ledger.

    Without --bootstrap and --store it reads the local stack; with them a deployed system, by the --store, --cache,
    --ranker and --tokenizer of its alert consumer. It changes nothing. Exit status 2: a wrong setting; 1: an outage.
    """
    # kafka-python logs every attempt to reach a broker that is down; the error says it once
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with ExplainParts(addresses(system, home, os.environ)) as parts:
        show(parts.explain(search, posting), Console(emoji=False))


def show(made: Explanation, console: Console) -> None:
    """Print what decided about the pair, step by step."""
    search = made.search
    console.print(f"[bold]{markup(made.why)}[/]  ({made.fate})")
    console.print(
        f"search   {markup(repr(search.query))}  threshold {search.threshold}  top_k {search.top_k or 'no limit'}",
        highlight=False,
    )
    _print_record(made.record, console)
    _print_text(made, console)
    _print_opening(made, console)
    for check in made.filters:
        console.print(
            f"{_mark(check.passed)} {check.name}: wanted {markup(str(check.wanted))}, has {markup(str(check.found))}",
            highlight=False,
        )
    if made.terms is not None:
        found, missing = (
            markup(", ".join(made.terms.found)) or "–",
            markup(", ".join(made.terms.missing)) or "–",
        )
        console.print(
            f"{_mark(made.terms.passed)} words: {made.terms.needed} needed; found {found}; missing {missing}"
        )
    if made.meaning is not None:
        near = made.meaning
        console.print(
            f"{_mark(near.passed)} vectors by {markup(near.model)}: similarity {near.similarity:.3f}, {near.needed:g} needed",
            highlight=False,
        )
    if made.score is not None:
        _print_score(made.score, console)
    if made.cut is not None:
        cut = made.cut
        console.print(
            f"depth    not scored: depth {cut.depth}, place {cut.place} of {cut.candidates} candidates, "
            f"{_time(cut.at_ms * 1000)}",
            highlight=False,
        )
    _print_limits(made, console)


def _print_limits(made: Explanation, console: Console) -> None:
    """Print what may keep a passing pair from alerting: the search's quota of the day, and the ledger."""
    if made.quota is not None:
        day = iso(made.quota.day * US_PER_DAY)[:-15]
        console.print(
            f"{_mark(made.quota.passed)} quota: {made.quota.used} of {made.quota.allowed} alerts used on {day}, "
            "the posting's event-time day",
            highlight=False,
        )
    if made.alert_id is not None:
        console.print(f"ledger   {_ledger(made.alert_id, made.ledger)}", highlight=False)


def _ledger(alert_id: str, entry: LedgerEntry | None) -> str:
    """What the ledger knows of an alert."""
    if entry is None:
        return f"does not hold alert {alert_id}"
    known = {
        Sent.SENT: "sent",
        Sent.CLAIMED: "claimed, its transaction was cut off or is not noted yet,",
        Sent.UNMARKED: "taken by a version that noted no commits, counts as sent,",
    }
    name = f", request {entry.request_id.hex()}" if entry.request_id else ""
    when = f" of {_time(entry.request_ms * 1000)}" if entry.request_ms else ""
    place = f"score.requests/{entry.partition}/{entry.offset}"
    return f"holds alert {alert_id}: {known[entry.sent]} for {place}{when}{name}"


def _print_record(record: FeatureRecord | None, console: Console) -> None:
    if record is None:
        return
    console.print(
        f"posting  {markup(record.title)}, {markup(record.company or '–')}  ({record.state})", highlight=False
    )
    console.print(
        f"versions record {_time(record.version)}  content {_time(record.content_version)}"
        f"  summary by {markup(record.model) or 'nothing yet'}",
        highlight=False,
    )
    _print_vector(record, console)


def _print_vector(record: FeatureRecord, console: Console) -> None:
    """Print which model's vector the record has; without one, words alone decide whether the pair is a candidate."""
    if record.vector:
        told = f"{width_of(record.vector)} numbers by {markup(record.vector_model)}"
    elif has_vector(record):
        told = f"none: {markup(record.vector_model)} gives none for these texts"
    else:
        told = "none: no embedder has read these texts"
    console.print(f"vector   {told}", highlight=False)


def _print_text(made: Explanation, console: Console) -> None:
    """Print the posting's text with what its summary keeps marked, and the summary that the ranker reads."""
    if made.record is None or made.description is None:
        return
    text = clean(made.description, MAX_CHARS)
    spans = [(phrase.start, phrase.end) for phrase in kept(text, made.record.summary) or ()]
    shown = marked(text, spans, bracketed=not console.is_terminal)
    console.print(Text.assemble("text     ", shown), soft_wrap=True)
    lengths = f"{made.record.input_tokens} tokens before, {made.record.summary_tokens} after"
    console.print(
        Text.assemble("summary  ", cell(made.record.summary or "–"), f"  ({lengths})"), soft_wrap=True
    )


def _print_opening(made: Explanation, console: Console) -> None:
    """Print since when the posting is open, and whether that is its first opening."""
    if made.record is None or made.opening is None:
        return
    since = "as first seen in a list" if made.record.episode < 0 else f"since {_time(made.record.episode)}"
    console.print(f"opening  {made.opening}, open {since}", highlight=False)


def _print_score(score: ScoreCheck, console: Console) -> None:
    source = "the cache" if score.cached else markup(score.model)
    passed = score.p_yes >= score.threshold
    console.print(
        f"{_mark(passed)} p_yes {score.p_yes:.4f} against {score.threshold} (from {source})", highlight=False
    )
    console.print(f"prompt, {score.tokens or '?'} tokens:\n{markup(score.prompt)}", highlight=False)


def _mark(passed: bool) -> str:
    return "[green]✓[/]" if passed else "[red]✗[/]"


def _time(version_us: int) -> str:
    return "never" if version_us < 0 else iso(version_us)
