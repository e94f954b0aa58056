"""Calls that may hang, made in threads of their own, so that the caller waits no longer than it is willing to."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

THREADS = 4


class TooLate(Exception):
    """The call has not returned in time; it goes on in its thread, and its result is dropped."""


class BoundedCalls:
    """Makes calls in a few daemon threads, which start when they are needed and do not keep the process from ending.

    After a call that was given up, no other one is made until it has returned.
    """

    def __init__(self, name: str, threads: int = THREADS) -> None:
        self._name, self._most = name, threads
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._given_up: Future[Any] | None = None

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """What `call()` returns or raises; TooLate when that takes longer than `seconds`, or an earlier one hangs."""
        hanging = self._given_up
        if hanging is not None and not hanging.done():
            raise TooLate("an earlier call has not returned yet")
        done = Future[T]()
        self._thread()
        self._queue.put((done, call))
        try:
            return done.result(seconds)
        except TimeoutError:
            if done.done():
                raise  # the call's own
            self._given_up = done
            raise TooLate(f"no answer within {seconds:.3g} s") from None

    def _thread(self) -> None:
        """Start a thread for one more call, unless one is idle or there are enough."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
                return
            if self._threads == self._most:
                return
            self._threads += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            done, call = self._queue.get()
            try:
                done.set_result(call())
            except BaseException as error:  # noqa: BLE001  (the caller raises it)
                done.set_exception(error)
            with self._lock:
                self._idle += 1


class Allowance:
    """What is left of the seconds that one caller gives to calls that it can do without."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_s, self._clock = seconds, clock

    def spend(self, calls: BoundedCalls, call: Callable[[], T]) -> T:
        """Make a call within what is left, and take its time off; raises as `BoundedCalls.within`."""
        began = self._clock()
        try:
            return calls.within(max(0.0, self.left_s), call)
        finally:
            self.left_s -= self._clock() - began
