"""Show the demo's progress: a display that updates in place on a terminal, plain lines in a pipe or a log file."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from typing_extensions import override

from nearline.demo import view

LINE_EVERY_S = 5.0


class Screen(Protocol):
    """Shows how far a demo has come."""

    def show(self, now: view.Progress) -> None:
        """Show the present state; called a few times a second."""
        ...

    def say(self, what: str) -> None:
        """Show one line that stays."""
        ...


class Lines(Screen):
    """Prints one plain line at the first call and then every `LINE_EVERY_S`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0

    @override
    def show(self, now: view.Progress) -> None:
        """Do nothing until LINE_EVERY_S have passed since the last line."""
        if now.elapsed_s >= self._next_s:
            self._next_s = now.elapsed_s + LINE_EVERY_S
            self.say(view.line(now))

    @override
    def say(self, what: str) -> None:
        """Print the line as it is, however wide."""
        self._console.print(what, soft_wrap=True, highlight=False, markup=False)


class Picture(Screen):
    """A live display of progress, latencies and the newest alerts."""

    def __init__(self, live: Live) -> None:
        self._live = live

    @override
    def show(self, now: view.Progress) -> None:
        """Lay the display out for the terminal's present width; `Live` draws it at its next refresh."""
        self._live.update(view.live(now, width=self._live.console.width))

    @override
    def say(self, what: str) -> None:
        """Print the line above the display."""
        self._live.console.print(what, highlight=False, markup=False)


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """The live display on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield Picture(live)


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Show that `what` is being waited for: a spinner on a terminal, one line elsewhere."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, soft_wrap=True)
        yield
