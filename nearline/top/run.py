"""Show frames: in place on a terminal, one after the other elsewhere, or one alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console, RenderableType
from rich.live import Live

from nearline.top.history import History
from nearline.top.pages import Get, Source, fetched, look
from nearline.top.view import frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where time comes from: seconds for rates, the time of day for the heading, and the wait between two frames."""

    now_s: Callable[[], float] = time.monotonic
    of_day: Callable[[], str] = field(default=lambda: time.strftime("%H:%M:%S"))
    sleep: Callable[[float], None] = time.sleep


def show_once(
    sources: Sequence[Source], console: Console, *, every_s: float, clock: Clock, get: Get = fetched
) -> bool:
    """Print one frame, of two looks `every_s` apart so that there are rates; False if nothing could be reached."""
    history = History()
    history.add(look(sources, clock.now_s(), get))
    clock.sleep(every_s)
    history.add(look(sources, clock.now_s(), get))
    console.print(frame(history, width=console.width, clock=clock.of_day()))
    return len(history.newest.unreachable) < len(sources)


def show(
    sources: Sequence[Source], console: Console, *, every_s: float, clock: Clock, get: Get = fetched
) -> None:
    """Show a frame every `every_s` until Ctrl-C, which ends it quietly and gives the terminal back as it was."""
    history = History()
    try:
        with _screen(console) as draw:
            while True:
                history.add(look(sources, clock.now_s(), get))
                draw(frame(history, width=console.width, clock=clock.of_day()))
                clock.sleep(every_s)
    except KeyboardInterrupt:
        return


@contextmanager
def _screen(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """What draws a frame: over the last one on a terminal, below it elsewhere."""
    if not console.is_terminal:
        yield console.print
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield partial(live.update, refresh=True)
