"""Bound a call of a Kafka client that may never return.

kafka-python's `flush`, its transactions and its `close` can wait for ever once the brokers were silent for longer than
its delivery time-out, also after they are back. A process that has such a client ends, and is started again.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from schemas.errors import BrokersUnavailable

#: How often a wait asks whether the process is to stop, and how long it goes on after that.
STEP_S = 0.25
STOPPING_S = 5.0

T = TypeVar("T")


class Deadline:
    """The end of one wait: after `seconds`, or `STOPPING_S` after the process was told to stop."""

    def __init__(
        self,
        seconds: float,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stopped, self._clock = stopped, clock
        self._until_s, self._stopping = clock() + seconds, False

    def step_s(self) -> float:
        """How long to wait before asking again; 0 when the wait is over."""
        now_s = self._clock()
        if not self._stopping and self._stopped():
            self._stopping, self._until_s = True, min(self._until_s, now_s + STOPPING_S)
        return max(0.0, min(STEP_S, self._until_s - now_s))


def within(
    seconds: float, what: str, call: Callable[[], T], stopped: Callable[[], bool] = lambda: False
) -> T:
    """Return what `call()` returns, or raise what it raises; BrokersUnavailable when it takes longer than `seconds`.

    A call that is given up goes on in its thread, so that its client must not be used again.
    """
    done, deadline = Future[T](), Deadline(seconds, stopped)
    threading.Thread(target=_run, args=(call, done), name=what, daemon=True).start()
    while step_s := deadline.step_s():
        try:
            return done.result(step_s)
        except TimeoutError:
            if done.done():
                raise
    if done.done():
        return done.result()
    raise BrokersUnavailable(f"{what}: the Kafka brokers have not answered within {seconds:g} s")


def _run(call: Callable[[], T], done: Future[T]) -> None:
    try:
        done.set_result(call())
    except BaseException as error:  # noqa: BLE001  (the thread that waits raises it)
        done.set_exception(error)
