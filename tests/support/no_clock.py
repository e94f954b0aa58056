"""Makes every read of a clock raise, for a process of its own that runs code which has to do without.

`install()` comes before the imports of what is looked at, and puts a gate before each function of `time`, before
`datetime`'s present time, and before the start of a thread. The function that it returns closes the gates: from then on
each of them raises ClockRead. Code that was imported behind the gates cannot have kept an open one.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

READERS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "sleep",
    "localtime",
    "gmtime",
)


class ClockRead(AssertionError):
    """A clock was read, or a thread was started."""


def install() -> Callable[[], None]:
    """Put the gates in place, open; returns what closes them."""
    closed: list[bool] = []

    def gated(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def gate(*args: Any, **kwargs: Any) -> Any:
            if closed:
                raise ClockRead(name)
            return real(*args, **kwargs)

        return gate

    for name in READERS:
        setattr(time, name, gated(f"time.{name}", getattr(time, name)))
    own = {
        name: staticmethod(gated(f"datetime.{name}", getattr(dt.datetime, name)))
        for name in ("now", "utcnow")
    }
    dt.datetime = type("datetime", (dt.datetime,), own)  # type: ignore[assignment, misc]
    threading.Thread.start = gated("Thread.start", threading.Thread.start)  # type: ignore[method-assign]
    return lambda: closed.append(True)
