"""Work a batch off in rounds: each does the rows that the model finishes within its deadline, the next one the rest."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from schemas.errors import ModelUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Round = Callable[[Sequence[int]], tuple[Sequence[Result | None], ModelUnavailable | None]]
"""Works on the rows of these numbers: a result for each, None where a summary is missing, and why one is."""


class Outlast(Protocol):
    """Repeats an action until no outage stops it, as `pipeline.outages.outlast` does."""

    def __call__(self, action: Callable[[], None], /) -> object:
        """Call `action` until it returns."""
        ...


def in_rounds(count: int, work: Round[Result], outlast: Outlast) -> list[Result]:
    """Return a result for each of `count` rows, in order; what one round has done is not done again.

    A round that has done any row is followed by the next one at once. One that has done none is an outage: it is
    `outlast`'s, which pauses.
    """
    found: dict[int, Result] = {}

    def go_on() -> None:
        left = [row for row in range(count) if row not in found]
        results, outage = work(left)
        done = {row: result for row, result in zip(left, results, strict=True) if result is not None}
        found.update(done)
        if outage is not None and not done:
            raise outage
        if outage is not None:
            log.warning("%d of %d updates wait for a summary: %s", count - len(found), count, outage)

    while len(found) < count:
        outlast(go_on)
    return [found[row] for row in range(count)]
