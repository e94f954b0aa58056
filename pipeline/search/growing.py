"""Arrays whose first axis grows by doubling, so that adding rows one by one costs a constant each."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", bound=np.generic)
LEAST = 1024


def grown(held: NDArray[Numbers], rows: int) -> NDArray[Numbers]:
    """`held` if it has that many rows, else a longer copy whose further rows are zeros."""
    if rows <= len(held):
        return held
    shape: tuple[Any, ...] = (max(rows, 2 * len(held), LEAST), *held.shape[1:])
    longer = np.zeros(shape, held.dtype)
    longer[: len(held)] = held
    return longer
