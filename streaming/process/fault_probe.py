"""For the fault tests: a process kills itself, as `kill -9` would, when it reaches a named step."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

Probe = Callable[[str], None]


def crash_at(step: str) -> Probe:
    """A probe that kills this process when it reaches `step`.

    `name@n`: the n-th time that it reaches the step `name`. `@FILE`: the step whose name FILE contains, once FILE
    exists; the process that removes FILE kills itself, so that one file kills one of all processes that watch it.
    `""`: never.
    """
    if not step:
        return lambda _reached: None
    return _file_probe(Path(step[1:])) if step.startswith("@") else _count_probe(step)


def _count_probe(step: str) -> Probe:
    name, _, nth = step.partition("@")
    times: Counter[str] = Counter()

    def probe(reached: str) -> None:
        times[reached] += 1
        if reached == name and times[reached] == int(nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    return probe


def _file_probe(order: Path) -> Probe:
    def probe(reached: str) -> None:
        try:
            if order.read_text() == reached:
                order.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        except FileNotFoundError:
            return

    return probe
