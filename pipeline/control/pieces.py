"""Work a batch off in pieces that the model finishes within its deadline: a slow model makes them smaller.

Pieces follow each other in the order of the rows, so the outcomes of one posting stay in order, and what one piece has
done is not done again for the sake of a later one.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from schemas.errors import ModelUnavailable

log = logging.getLogger(__name__)

Work = Callable[[int, int], None]
"""Does the rows from the first number up to, without, the second; safe to repeat after an error."""


LARGEST = 1_000_000
"""Rows of a piece at which it need not grow."""


class Outlast(Protocol):
    """Repeats an action until no outage stops it, as `pipeline.outages.outlast` does."""

    def __call__(self, action: Callable[[], int], /) -> int:
        """Return the action's result."""
        ...


class PieceSize:
    """Rows of one piece: halved when a piece fails, doubled while pieces take less than half of their deadline."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._rows: int | None = None

    def of(self, left: int) -> int:
        """How many of the `left` rows the next piece takes: all, unless a piece has failed."""
        return left if self._rows is None else min(left, self._rows)

    def failed(self, rows: int) -> None:
        """Halve: a piece of `rows` rows was not done within the deadline."""
        self._rows = max(1, rows // 2)

    def done(self, rows: int, took_s: float) -> None:
        """Grow after a full piece: double it, or add one row when the piece took half of its deadline or more."""
        if self._rows is not None and rows == self._rows:
            self._rows = min(LARGEST, self._rows * 2 if took_s < self._deadline_s / 2 else self._rows + 1)


class Pieces:
    """Cuts batches into pieces; remembers their size from batch to batch. An outage is waited out for a single row."""

    def __init__(
        self, outlast: Outlast, deadline_s: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._outlast, self._size, self._monotonic = outlast, PieceSize(deadline_s), monotonic

    def run(self, rows: int, work: Work) -> None:
        """Call `work` until all rows are done; each piece has a deadline of its own."""
        start = 0
        while start < rows:
            start = self._outlast(partial(self._piece, start, rows, work))

    def _piece(self, start: int, rows: int, work: Work) -> int:
        """Do one piece and return where the next one begins, at `start` again if it failed and can be smaller."""
        count, began = self._size.of(rows - start), self._monotonic()
        try:
            work(start, start + count)
        except ModelUnavailable as error:
            self._size.failed(count)
            if count == 1:
                raise
            log.warning("%s; of %d updates %d are tried first", error, count, self._size.of(count))
            return start
        self._size.done(count, self._monotonic() - began)
        return start + count
