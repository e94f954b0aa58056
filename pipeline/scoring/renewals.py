"""Renews what callers hold while they compute, so that a call which takes longer than a lease is not made twice."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

SHARE = 1 / 3
"""Of a lease's time: how often it is renewed, and the age from which it is."""


class _Held:
    """Something to renew: until when, and when it was last."""

    __slots__ = ("at_s", "renew", "until_s")

    def __init__(self, renew: Callable[[], object], at_s: float, until_s: float) -> None:
        self.renew, self.at_s, self.until_s = renew, at_s, until_s


class Renewals:
    """Renews leases in a daemon thread, which starts with the first one and sleeps while there is none.

    A lease that is young is left alone, so that calls which are over quickly cost nothing. One whose caller's deadline
    has passed is not renewed any more: that caller hangs, and others may take over from it.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic seconds, for the ages and deadlines of what is held."""
        self._every_s, self._clock = SHARE * lease_s, clock
        self._held: dict[int, _Held] = {}
        self._changed = threading.Condition()
        self._started = False

    @contextmanager
    def during(self, renew: Callable[[], object], until_s: float) -> Iterator[None]:
        """Have `renew` called now and then while the body runs, up to `until_s`; what it raises is logged."""
        held = _Held(renew, self._clock(), until_s)
        self._add(held)
        try:
            yield
        finally:
            with self._changed:
                del self._held[id(held)]

    def renew(self) -> None:
        """Renew everything whose time has come; the thread does that, and tests under a clock of their own."""
        now = self._clock()
        with self._changed:
            due = [one for one in self._held.values() if one.at_s + self._every_s <= now < one.until_s]
        for one in due:
            one.at_s = now
            try:
                one.renew()
            except Exception:
                log.exception("a lease is not renewed")

    def _add(self, held: _Held) -> None:
        with self._changed:
            self._held[id(held)] = held
            if self._started:
                self._changed.notify()
                return
            self._started = True
        threading.Thread(target=self._run, name="score-leases", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held)
            time.sleep(self._every_s)
            self.renew()
