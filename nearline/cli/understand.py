"""`nearline understand | searches add | searches drop`."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nearline.cli import options
from nearline.shown import cell, markup
from pipeline.understanding.rules import RuleUnderstanding
from pipeline.understanding.understood import NAMES, Understood
from schemas.errors import ConfigError
from schemas.keys import text_hash
from schemas.records import SavedSearch

searches = typer.Typer(
    no_args_is_help=True, help="Saved searches: subscribe one in your own words, or end one."
)

Words = Annotated[str, typer.Argument(help="What is sought, in free words.", metavar="TEXT")]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop", metavar="NAME", help="Take a part out, its words are looked for again; repeatable."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help=f"Set one of {', '.join(NAMES)}; repeatable."),
]
Name = Annotated[
    str | None,
    typer.Option("--id", help="The search's id; default: one made of the words, the same each time."),
]
Bootstrap = Annotated[str | None, typer.Option(help="Kafka's brokers; default: the local stack's.")]
Registry = Annotated[
    str | None, typer.Option(help="Schema registry's URL; default: as the running stack was told.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(understand)
    app.add_typer(searches, name="searches")


def understand(
    text: Words,
    drop: Drop = None,
    put: Set = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the saved search as one line of JSON.")
    ] = False,
) -> None:
    """Show what is understood of free words: filters, each with the words it came from, and what is looked for."""
    made = corrected(text, drop or (), put or ())
    if as_json:
        sys.stdout.write(json.dumps(asdict(made.search(_id(text))), ensure_ascii=False) + "\n")
    else:
        show(made, Console(emoji=False))


@searches.command()
def add(
    text: Words,
    drop: Drop = None,
    put: Set = None,
    search_id: Name = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least p_yes that alerts; default: the ranker's.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=0, help="Most alerts a day; 0: no limit.")] = 0,
    bootstrap: Bootstrap = None,
    schema_registry: Registry = None,
    home: options.Home = None,
) -> None:
    """Subscribe a search in free words, and show what was understood; the same id again replaces it."""
    made = corrected(text, drop or (), put or ())
    if made.asks_for_nothing:
        raise ConfigError(f"{text!r} asks for nothing, and would match every posting: {made.notes[-1]}")
    stack = None if bootstrap else options.running_stack(home)
    least = options.default_threshold(stack.ranker_dir if stack else None) if threshold is None else threshold
    search = replace(made.search(search_id or _id(text), least), top_k=top_k)
    told = schema_registry if schema_registry is not None or stack is None else stack.schema_registry
    _send(search, bootstrap, told or "", home)
    console = Console(emoji=False)
    show(made, console)
    console.print(
        f"search {markup(search.search_id)} is subscribed, threshold {search.threshold}", highlight=False
    )


@searches.command("drop")
def drop_search(
    search_id: Annotated[str, typer.Argument(help="The saved search's id.", metavar="ID")],
    bootstrap: Bootstrap = None,
    home: options.Home = None,
) -> None:
    """End a saved search: no alert of it goes out any more."""
    from streaming.tools.replay import unsubscribe

    unsubscribe(options.kafka(bootstrap, home), search_id)
    Console().print(f"search {markup(search_id)} is not subscribed any more", highlight=False)


def corrected(text: str, drop: Sequence[str], put: Sequence[str]) -> Understood:
    """What is understood of a text after a person's corrections; raises ConfigError or EventError for a wrong one."""
    made = RuleUnderstanding().understand(text).without(drop)
    for name, value in map(named_value, put):
        made = made.with_value(name, value)
    return made


def named_value(given: str) -> tuple[str, str]:
    """Name and value of one --set; ConfigError for one that is not NAME=VALUE."""
    name, equals, value = given.partition("=")
    if not equals:
        raise ConfigError(f"--set {given!r}: give NAME=VALUE, such as --set location=Leeds")
    return name.strip(), value.strip()


def show(made: Understood, console: Console) -> None:
    """Print the parts with the words that they came from, the words that are looked for, and the notes."""
    table = Table("filter", "understood as", "from the words", box=None, padding=(0, 2, 0, 0))
    for part in made.parts:
        table.add_row(cell(part.name), cell(part.value), cell(part.words or "set by hand"))
    console.print(table if made.parts else "no filters")
    console.print(f"looked for: {markup(made.words) or '–'}", highlight=False)
    for note in made.notes:
        console.print(f"note: {markup(note)}", highlight=False)


def _send(search: SavedSearch, bootstrap: str | None, registry: str, home: Path | None) -> None:
    from streaming.kafka.framing import open_codec
    from streaming.tools.replay import WRITES, send_searches

    with closing(open_codec(options.registry(registry), WRITES)) as codec:
        send_searches(options.kafka(bootstrap, home), [search], codec)


def _id(text: str) -> str:
    return f"s-{text_hash(text).hex()[:12]}"
