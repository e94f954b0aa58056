"""Ctrl-C and SIGTERM: the first one asks a run to stop after its present step, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """Whether a stop was asked for, and by which signal."""

    signal: int | None = None

    @property
    def asked(self) -> bool:
        """True from the first signal on."""
        return self.signal is not None


@contextmanager
def stopping() -> Iterator[Stop]:
    """Give a `Stop` that the two signals set while the block runs; main thread only."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.asked:
            raise KeyboardInterrupt
        stop.signal = number

    try:
        for number in SIGNALS:
            signal.signal(number, ask)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
