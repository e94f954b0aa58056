"""`nearline search "TEXT"`: the best open postings for a person's words, from a search service."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from nearline.cli import options
from nearline.cli.understand import Drop, Set, named_value
from nearline.page.search import Json, ServiceSearcher
from nearline.shown import markup


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(search)


def search(
    text: Annotated[str, typer.Argument(help="What is looked for, such as 'night nurse near Leeds'.")],
    *,
    drop: Drop = None,
    put: Set = None,
    limit: Annotated[int, typer.Option(help="Results of a page.", min=1, max=100)] = 10,
    cursor: Annotated[str, typer.Option(help="Next page: the cursor that the page before ended with.")] = "",
    url: Annotated[
        str | None, typer.Option(help="The search service, http://host:port; default: the local stack's.")
    ] = None,
    home: options.Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's answer as it is.")] = False,
) -> None:
    """Search the open postings: what was understood, the results best first, and why each is there.

    Exit status 2: a request that cannot be answered; 1: the service is away.
    """
    body = {"query": text, "dropped": drop or [], "set": _fields(put or ()), "limit": limit, "cursor": cursor}
    answer = ServiceSearcher(url or options.running_stack(home).search_url).search(body)
    if as_json:
        Console().print_json(json.dumps(answer))
    else:
        show(answer, Console(emoji=False))


def _fields(put: Sequence[str]) -> dict[str, list[str]]:
    """The values by name; must_not may have several. ConfigError for one that is not NAME=VALUE."""
    fields: dict[str, list[str]] = {}
    for name, value in map(named_value, put):
        fields.setdefault(name, []).append(value)
    return fields


def show(answer: Json, console: Console) -> None:
    """Print an answer."""
    for part in answer["understood"]:
        console.print(
            f"understood {part['name']}: {markup(part['value'])} (from {markup(part['words'])})",
            highlight=False,
        )
    for line in (*answer["notes"], *answer["missing"]):
        console.print(f"[yellow]{markup(line)}[/]", highlight=False)
    for one in answer["results"]:
        _show_result(one, console)
    took = sum(answer["took_ms"].values())
    console.print(
        f"{len(answer['results'])} of {answer['total']} ranked, {answer['passing']} of {answer['postings']} open postings "
        f"pass the filters; {took:.0f} ms",
        highlight=False,
    )
    if answer["cursor"]:
        console.print(f"next page: --cursor {answer['cursor']}", highlight=False)


def _show_result(one: dict[str, Any], console: Console) -> None:
    score = "  –  " if one["p_yes"] is None else f"{one['p_yes']:.3f}"
    place = ", ".join(str(one[name]) for name in ("company", "location", "employment_type") if one[name])
    console.print(
        f"{one['place']:>3}  {score}  [bold]{markup(one['title'])}[/]  {markup(place)}", highlight=False
    )
    console.print(
        f"            {markup(one['posting_id'])}: {markup('; '.join(one['reasons']))}", highlight=False
    )
