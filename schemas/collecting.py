"""When Python's garbage collector looks for reference cycles in a process that makes many objects in each batch."""

import gc
import time
from collections.abc import Callable

#: Objects made and not yet freed until the collector runs within a batch. One of 4,000 updates makes some 120,000.
YOUNG_OBJECTS = 500_000
EVERY_S = 5.0


class SeldomCollector:
    """Lets the garbage collector run between batches, every few seconds, and hardly ever within one.

    By default it runs at each 700 new objects, many times a batch, and looks through a batch whose objects will all be
    freed without it: 23% of the processor time of the feature job's Python workers. A count alone is no bound, because
    a cycle of few objects may hold megabytes, as one does for each batch that Flink hands to Python.

    Make one when everything that lives as long as the process is loaded; collections leave that out.
    """

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        self._next_s = clock() + every_s

    def between_batches(self) -> None:
        """Free the cycles that earlier batches left, if the time has come; call it when a batch's objects are gone."""
        if self._clock() >= self._next_s:
            gc.collect()
            self._next_s = self._clock() + self._every_s

    def after(self, turn: Callable[[], None]) -> Callable[[], None]:
        """`turn`, and then `between_batches`: for a loop that calls one function between its batches."""

        def both() -> None:
            turn()
            self.between_batches()

        return both
