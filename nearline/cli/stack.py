"""`nearline up | status | down`."""

from collections.abc import Mapping
from functools import partial

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.stack import daemon
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state, state_age_s
from storage.couchbase.url import without_login

#: Far above the supervisor's longest round, in which several components do not answer.
OUTDATED_S = 120.0


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(up)
    app.command()(status)
    app.command()(down)


@from_settings
def up(stack: partial[StackSettings], home: options.Home = None) -> None:
    """Start Kafka, Flink with the feature job, the model server, matcher, alert consumer and their page."""
    settings = options.checked(stack(home=home) if home else stack())
    console = Console()
    with console.status(
        "starting the stack (about half a minute; the first time Maven fetches Kafka's and Flink's jars)"
    ):
        daemon.up(settings)
    status(settings.home)
    console.print(f"logs in {settings.home}/logs; stop with `nearline down`", markup=False)


def status(home: options.Home = None) -> None:
    """Show every component: healthy or why not, process, restarts. Exit status 1 when anything is not healthy."""
    settings = options.running_stack(home)
    states = read_state(settings.home) if daemon.running(settings.home) else []
    table = Table("component", "state", "pid", "restarts", "last exit")
    for state in states:
        health = "[green]healthy[/]" if state["healthy"] else f"[red]{escape(_trouble(state))}[/]"
        table.add_row(
            str(state["name"]),
            health,
            str(state["pid"] or ""),
            str(state["restarts"]),
            escape(str(state["last_exit"])),
        )
    console = Console()
    console.print(table if states else Text(f"no stack is running in {settings.home}"))
    if states:
        console.print(
            f"kafka {settings.bootstrap}   flink {settings.flink_url}   models {settings.models_url}",
            markup=False,
        )
        if settings.page:
            console.print(f"page {settings.page_url}", markup=False)
        console.print(f"store {without_login(settings.store_url)}", soft_wrap=True, markup=False)
    outdated = _outdated(settings) if states else ""
    if outdated:
        console.print(outdated, soft_wrap=True, markup=False)
    if outdated or not states or not all(state["healthy"] for state in states):
        raise typer.Exit(1)


def _outdated(settings: StackSettings) -> str:
    """One line when the supervisor has not looked at its components for long, so that nobody knows how they are."""
    age_s = state_age_s(settings.home)
    started = (settings.home / "ready").exists()  # while it starts a stack it writes no state for minutes
    if age_s <= OUTDATED_S or not started:
        return ""
    return f"the supervisor stands still: it has looked at nothing for {age_s:.0f} s; see {settings.log('supervisor')}"


def _trouble(state: Mapping[str, object]) -> str:
    return f"down: {state['trouble']}" if state["trouble"] else "down"


def down(home: options.Home = None) -> None:
    """Stop every process that `nearline up` started. Topics and store stay in the home folder."""
    killed = daemon.down(options.last_home(home))
    Console().print("stopped" + (f"; {killed} processes had to be killed" if killed else ""))
