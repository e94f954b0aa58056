"""`nearline top`: what a running system does now, from the metrics of its processes."""

from typing import Annotated

import typer
from rich.console import Console

from nearline.cli import options
from nearline.top.pages import Source, stack_sources
from nearline.top.run import Clock, show, show_once
from schemas.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(top)


def top(
    *,
    at: Annotated[
        list[str] | None,
        typer.Option(
            help="A process of a deployed system, such as matcher=http://10.0.0.7:9400; may be given again. Default: the "
            "processes of the local stack.",
            metavar="NAME=URL",
        ),
    ] = None,
    every_s: Annotated[float, typer.Option(help="Seconds between two frames.", min=0.1)] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame and stop, for scripts and pipes.")
    ] = False,
    home: options.Home = None,
) -> None:
    """Show lag, rates, latencies, score cache, depth and verdicts of a running system; Ctrl-C ends it.

    Figures come from the metrics pages of the processes (docs/operations.md#watch). Rates and latencies are of the last
    minute. What cannot be reached is named on top, its figures are dashes. Exit status of --once: 1 if it reached
    nothing.
    """
    sources = [source(one) for one in at or ()] or stack_sources(options.running_stack(home))
    console = Console(emoji=False)
    if not once:
        show(sources, console, every_s=every_s, clock=Clock())
    elif not show_once(sources, console, every_s=every_s, clock=Clock()):
        raise typer.Exit(1)


def source(given: str) -> Source:
    """A process by its name and address; the path /metrics may be left out."""
    name, equals, url = given.partition("=")
    if not (name and equals and url.startswith(("http://", "https://"))):
        raise ConfigError(f"--at {given!r}: give a name and an address, such as matcher=http://10.0.0.7:9400")
    return Source(name, url if url.endswith("/metrics") else f"{url.rstrip('/')}/metrics")
